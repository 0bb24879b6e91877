"""The overview: calls of a day, a week, a month, counted in bars and in a table."""

from __future__ import annotations

import re

from playwright.async_api import expect

from gateway.softphone.phone import Softphone
from local.agent import ringing_on


async def test_calls_are_counted_by_how_they_went(owner, tenant, told):
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    page = owner.page
    await owner.go("Overview")
    await expect(page.get_by_text("No calls", exact=True)).to_be_visible()
    caller = await phone.place_call(number)
    missed = await ringing_on(tenant.rest, number)
    caller.hangup()
    await tenant.rest.wait_for(missed, "missed")
    await tenant.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    caller = await phone.place_call(number)
    await caller.answered.wait()
    caller.hangup()
    await caller.ended.wait()
    await owner.open("#/calls")
    await owner.open("#/overview")
    for range_ in ("day", "month"):
        await page.get_by_label("Time").select_option(range_)
        picture = page.get_by_role("img", name=re.compile("^2 calls, 1 of them answered"))
        await expect(picture).to_be_visible()
        await page.get_by_text("The picture as a table").click()
        rows = page.get_by_role("table").get_by_role("row")
        await expect(rows.nth(1)).to_contain_text(re.compile(r"\d s$"))
        cells = await page.locator("td.num").all_inner_texts()
        counted = [int(text) for text in cells if text.isdigit()]
        assert sum(counted) == 2
    assert await owner.serious_faults() == []
