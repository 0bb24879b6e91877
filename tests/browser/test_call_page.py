"""The page of one call: it says why an agent is not reached, and keeps what it shows."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import expect

from gateway.softphone.phone import Softphone

LOOKS_AGAIN_MS = 7_000
WHY = "The agent at agent_url was not reached: it did not answer within 5 s."


@pytest_asyncio.fixture(loop_scope="session")
async def call_id(tenant, told):
    """A call that is up, for which no agent has come yet."""
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    await tenant.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    caller = await phone.place_call(number)
    await caller.answered.wait()
    (call,) = (await tenant.rest("GET", "/api/calls"))["calls"]
    yield call["call_id"]
    caller.hangup()


async def test_a_call_stays_on_its_page_though_looking_again_fails(owner, call_id):
    page, answers = owner.page, iter(["fails", "agent is not reached", "agent is there"])

    async def answer(route):
        now = next(answers)
        if now == "fails":
            await route.fulfill(status=503, json={"code": "unavailable", "title": "Unavailable"})
            return
        response = await route.fetch()
        told = {"agent_detail": WHY} if now == "agent is not reached" else {}
        await route.fulfill(response=response, json=await response.json() | told)

    await page.clock.install()
    await owner.open(f"#/call/{call_id}")
    leave = page.get_by_role("button", name="Leave")
    await expect(leave).to_be_visible()
    await page.route(f"**/api/call/{call_id}", answer)

    async def looks_again() -> None:
        async with page.expect_response(f"**/api/call/{call_id}"):
            await page.clock.fast_forward(LOOKS_AGAIN_MS)

    await looks_again()
    await expect(page.get_by_text("Unavailable")).to_have_count(0)
    await expect(leave).to_be_visible()
    await looks_again()
    await expect(page.get_by_text(WHY, exact=True)).to_be_visible()
    await expect(leave).to_be_visible()
    await looks_again()
    await expect(page.get_by_text(WHY, exact=True)).to_have_count(0)
    await leave.click()
    await expect(page.get_by_role("status").filter(has_text="Ended")).to_be_visible()
