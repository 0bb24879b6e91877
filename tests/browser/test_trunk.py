"""A trunk of one's own: Kamailio is the carrier, sipp picks up, all else is done in the page."""

from __future__ import annotations

import re

import pytest_asyncio
from playwright.async_api import expect

from tests.sip.peers import HOST, Carrier, Sipp
from tests.sip.support import CALLED, DID, PASSWORD, USER

NATIONAL_DID = "(555) 123-0000"


@pytest_asyncio.fixture(loop_scope="session")
async def carrier():
    async with Carrier({USER: PASSWORD}, dids={DID: USER}) as carrier:
        yield carrier


async def connect(owner, carrier, password, button):
    settings = {"host": HOST, "port": str(carrier.port), "username": USER, "password": password}
    await owner.fill(**settings, caller_id=DID, allowed_countries="FR")
    await owner.press(button, exact=True)


async def test_a_trunk_is_connected_given_a_number_and_dialled_through(owner, tenant, carrier):
    page = owner.page
    await owner.go("Dial")
    await expect(page.get_by_text("First connect a trunk")).to_be_visible()
    await owner.go("SIP Trunk (BYOT)")
    await connect(owner, carrier, "wrong", "Connect")
    status = page.get_by_role("region", name="Status")
    await expect(status).to_contain_text("Not registered", timeout=15_000)
    await expect(status).to_contain_text("SIP 403")
    await expect(status).to_contain_text(re.compile("password", re.IGNORECASE))

    await page.get_by_text("Change settings").click()
    await connect(owner, carrier, PASSWORD, "Save and connect")
    await expect(status).to_contain_text("Registered", timeout=20_000)
    assert PASSWORD not in await page.content()

    numbers = page.get_by_role("region", name="Inbound numbers")
    await numbers.get_by_role("combobox", name="Country").select_option("US")
    await numbers.get_by_role("textbox", name="Number").fill(NATIONAL_DID)
    await expect(numbers).to_contain_text(f"Will be added as {DID}")
    await numbers.get_by_role("textbox", name="Label").last.fill("Front desk")
    await owner.press("Add number")
    row = numbers.get_by_role("region", name="+1 555 123 0000")
    await expect(row).to_contain_text("Front desk")
    await row.get_by_role("switch", name="Auto-answer").check()
    await expect(page.get_by_text("saving…")).to_have_count(0)
    (did,) = (await tenant.rest("GET", "/api/trunk"))["dids"]
    assert (did["e164"], did["label"], did["auto_answer"]) == (DID, "Front desk", True)

    async with Sipp.uas("answers") as callee:
        await carrier.route(CALLED, callee.address)
        await owner.go("Dial")
        await page.get_by_role("combobox", name="Country").select_option("FR")
        await page.get_by_role("textbox", name="Number to call").fill("01 99 00 12 34")
        await expect(page.get_by_text(f"Will call {CALLED}")).to_be_visible()
        await owner.press("Call", exact=True)
        state = page.get_by_role("region", name="State")
        await expect(state).to_contain_text("Active", timeout=15_000)
        await owner.press("Leave")
        await expect(state).to_contain_text("Your side hung up.")
        await callee.finished()
    story = await page.get_by_role("region", name="Timeline").get_by_role("list").inner_text()
    states = re.findall("Connecting|Ringing|Active|Ended", story)
    assert (states[0], states[-2:]) == ("Connecting", ["Active", "Ended"])
    await owner.go("SIP Trunk (BYOT)")
    await owner.press("Disconnect", exact=True)
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_text("Connect your trunk")).to_be_visible()


async def test_what_is_wrong_with_a_number_is_said_beside_it(owner, tenant, carrier):
    await tenant.register(carrier)
    await owner.open("#/dial")
    page = owner.page
    for country, written, complaint in (
        ("FR", "12", "Invalid number"),
        ("GB", "7911 123456", "allowed"),
        ("FR", "0899 12 34 56", "remium"),
    ):
        await page.get_by_role("combobox", name="Country").select_option(country)
        number = page.get_by_role("textbox", name="Number to call")
        await number.fill(written)
        await owner.press("Call", exact=True)
        await expect(number).to_have_attribute("aria-invalid", "true")
        await expect(page.locator(".field", has=number)).to_contain_text(complaint)
        await expect(number).to_be_focused()
    assert (await tenant.rest("GET", "/api/calls"))["calls"] == []
