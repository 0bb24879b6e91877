"""Trunks of one's own: Kamailio is the carrier, sipp picks up, all else is done in the page."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.sip.peers import HOST, Carrier, Sipp
from tests.sip.support import CALLED, DID, PASSWORD, USER

NATIONAL_DID = "(555) 123-0000"
OFFICE_DID = "+33199005678"
LIST, CONNECT = "SIP trunks (BYOT)", "Connect a trunk"


@pytest_asyncio.fixture(loop_scope="session")
async def carrier():
    async with Carrier({USER: PASSWORD}, dids={DID: USER}) as carrier:
        yield carrier


@pytest_asyncio.fixture(loop_scope="session")
async def office():
    """Another carrier."""
    async with Carrier({USER: PASSWORD}, dids={OFFICE_DID: USER}) as carrier:
        yield carrier


async def connect(owner, carrier, password, button, number=DID):
    settings = {"host": HOST, "port": str(carrier.port), "username": USER, "password": password}
    await owner.fill(**settings, caller_id=number, allowed_countries="FR")
    await owner.press(button, exact=True)


async def second_trunk(tenant, carrier):
    """A trunk called office, registered."""
    settings = {"host": HOST, "port": carrier.port, "username": USER, "password": PASSWORD}
    await tenant.rest("PUT", "/api/trunks/office", {**settings, "caller_id": OFFICE_DID})
    await tenant.happens("trunk.registered", lambda data: data["trunk"]["name"] == "office")


async def trunk_names(tenant):
    return [trunk["name"] for trunk in (await tenant.rest("GET", "/api/trunks"))["trunks"]]


async def say_whom_to_call(page):
    await page.get_by_role("combobox", name="Country").select_option("FR")
    await page.get_by_role("textbox", name="Number to call").fill("01 99 00 12 34")
    await expect(page.get_by_text(f"Will call {CALLED}")).to_be_visible()
    await page.get_by_role("combobox", name="Find out who answers").select_option("Yes")


async def test_a_trunk_is_connected_given_a_number_and_dialled_through(owner, tenant, carrier):
    page = owner.page
    await owner.go("Dial")
    await expect(page.get_by_text("First connect a trunk")).to_be_visible()
    await owner.go(LIST)
    await page.get_by_role("link", name="Connect your first trunk").click()
    await owner.sees_heading(CONNECT)
    await expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("main")
    await connect(owner, carrier, "wrong", "Connect")
    await owner.sees_heading("Trunk main")
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
        await say_whom_to_call(page)
        await owner.press("Call", exact=True)
        state = page.get_by_role("region", name="State")
        await expect(state).to_contain_text("Active", timeout=15_000)
        parties = page.get_by_role("region", name="Parties")
        await expect(parties).to_contain_text("somebody who said nothing", timeout=20_000)
        await owner.press("Leave")
        await expect(state).to_contain_text("Your side hung up.")
        await callee.finished()
    story = await page.get_by_role("region", name="Timeline").get_by_role("list").inner_text()
    states = re.findall("Connecting|Ringing|Active|Ended", story)
    assert (states[0], states[-2:]) == ("Connecting", ["Active", "Ended"])
    await owner.go(LIST)
    await page.get_by_role("link", name="main", exact=True).click()
    await owner.press("Disconnect", exact=True)
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_text("No trunk yet")).to_be_visible()


async def test_a_second_trunk_is_connected_by_its_preset_and_mended_as_its_status_says(
    owner, tenant, carrier, office
):
    page = owner.page
    await tenant.register(carrier)
    await owner.go(LIST)
    await page.get_by_role("link", name=CONNECT).click()
    await page.get_by_role("combobox", name="Carrier or PBX").select_option("Asterisk (PJSIP)")
    origin = page.get_by_role("region", name="Where from")
    await expect(origin).to_contain_text("trust_id_inbound=yes")
    await expect(origin).to_contain_text("P-Asserted-Identity; From is your account")
    await expect(origin.get_by_role("link")).to_have_attribute(
        "href", re.compile("^https://docs.asterisk.org/")
    )
    await expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("asterisk")
    await connect(owner, office, "wrong", "Connect", OFFICE_DID)
    await owner.sees_heading("Trunk asterisk")
    status = page.get_by_role("region", name="Status")
    await expect(status).to_contain_text("SIP 403", timeout=15_000)

    await owner.go(LIST)
    rows = page.get_by_role("list", name="Trunks").get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Registered")
    await expect(rows.last).to_contain_text("Not registered")
    await expect(rows.last).to_contain_text(re.compile("password", re.IGNORECASE))
    await owner.go("Dial")
    await page.get_by_role("combobox", name="Through").select_option("asterisk")
    await expect(page.get_by_text("The trunk asterisk is not connected")).to_be_visible()
    await page.get_by_role("link", name="See to the trunk").click()

    await page.get_by_text("Change settings").click()
    await owner.fill(password=PASSWORD)
    await owner.press("Save and connect")
    await expect(status).to_contain_text("Registered", timeout=20_000)
    kept = await tenant.rest("GET", "/api/trunks/asterisk")
    assert (kept["caller_id_in"], kept["port"]) == ("pai", office.port)
    assert PASSWORD not in await page.content()
    numbers = page.get_by_role("region", name="Inbound numbers")
    await owner.fill(e164=OFFICE_DID)
    await owner.press("Add number")
    await expect(numbers.get_by_role("region", name="+33")).to_contain_text("not called yet")


@pytest.mark.parametrize(
    "chosen",
    [("office", OFFICE_DID), ("*", DID)],
    ids=["chosen, although main has the number, too", "by caller ID"],
)
async def test_a_call_goes_through_the_trunk_that_is_chosen_or_that_has_the_caller_id(
    owner, tenant, carrier, office, chosen
):
    page = owner.page
    through, callers_of_main = chosen
    await tenant.register(carrier, caller_id=callers_of_main)
    await second_trunk(tenant, office)
    async with Sipp.uas("answers") as callee:
        await office.route(CALLED, callee.address)  # only the office's carrier knows the number
        await owner.open("#/dial")
        await page.get_by_role("combobox", name="Through").select_option(through)
        await page.get_by_role("combobox", name="Call as").select_option(OFFICE_DID)
        await page.get_by_role("textbox", name="Number to call").fill(CALLED)
        await owner.press("Call", exact=True)
        state = page.get_by_role("region", name="State")
        await expect(state).to_contain_text("Active", timeout=15_000)
        parties = page.get_by_role("region", name="Parties")
        await expect(parties.get_by_role("link", name="office")).to_be_visible()
        await owner.press("Leave")
        await expect(state).to_contain_text("Your side hung up.")
        await callee.finished()


async def test_one_of_two_trunks_is_disconnected_after_a_question(owner, tenant, carrier, office):
    page = owner.page
    await tenant.register(carrier)
    await second_trunk(tenant, office)
    await owner.open("#/trunk/office")
    await owner.press("Disconnect", exact=True)
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("Disconnect the trunk office?")
    await question.get_by_role("button", name="Cancel").click()
    assert await trunk_names(tenant) == ["main", "office"]
    await owner.press("Disconnect", exact=True)
    await question.get_by_role("button", name="Disconnect").click()
    await owner.sees_heading(LIST)
    rows = page.get_by_role("list", name="Trunks").get_by_role("listitem")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("main")
    assert await trunk_names(tenant) == ["main"]
    await owner.open("#/trunk/office")
    await expect(page.get_by_text("No trunk of this name is connected")).to_be_visible()


async def test_a_name_that_is_taken_replaces_no_trunk_and_what_is_wrong_is_unfolded(
    owner, tenant, carrier
):
    page = owner.page
    await tenant.register(carrier)
    await owner.open("#/connect")
    name = page.get_by_role("textbox", name="Name", exact=True)
    await name.fill("main")
    await connect(owner, carrier, "wrong", "Connect")
    await expect(page.locator(".field", has=name)).to_contain_text("You have a trunk called main.")
    await expect(name).to_be_focused()
    assert (await tenant.rest("GET", "/api/trunk"))["revision"] == 1

    await name.fill("second")
    await page.get_by_text("More settings").click()
    prefix = page.get_by_role("textbox", name="Prefix for an outside line")
    await prefix.fill("nine")
    await page.get_by_text("More settings").click()
    await expect(prefix).to_be_hidden()
    await owner.press("Connect", exact=True)
    await expect(prefix).to_be_focused()
    await expect(page.locator(".field", has=prefix)).to_contain_text("dial_prefix")
    assert await trunk_names(tenant) == ["main"]


async def test_a_trunk_without_registration_asks_for_networks_and_for_no_password(owner, tenant):
    page = owner.page
    await owner.open("#/connect/vonage")
    networks = page.get_by_role("textbox", name="Networks")
    await expect(networks).to_have_attribute("required", "")
    await page.get_by_role("combobox", name="Carrier or PBX").select_option("Another one")
    await page.get_by_text("More settings").click()
    await expect(networks).to_be_hidden()
    await page.get_by_role("combobox", name="How it connects").select_option("ip")
    await expect(networks).to_be_visible()
    await owner.fill(host=HOST, networks="127.0.0.1/32", caller_id=DID)
    await owner.press("Connect", exact=True)
    await owner.sees_heading("Trunk main")
    await expect(page.get_by_role("region", name="Status")).to_contain_text("127.0.0.1/32")
    trunk = await tenant.rest("GET", "/api/trunk")
    assert (trunk["auth"], trunk["username"], trunk["networks"]) == ("ip", None, ["127.0.0.1/32"])


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
