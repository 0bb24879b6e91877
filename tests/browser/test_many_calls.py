"""Many calls in the list at once: it says what is, in the right order, while they come and go. How
smooth the page stays is measured by `make bench`, row `dashboard`.
"""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from gateway.softphone.phone import Softphone

CALLS = 30


async def test_a_list_that_changes_all_the_time_shows_what_is(owner, tenant, told):
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    await owner.open("#/calls")
    await expect(owner.page.get_by_text("No calls yet")).to_be_visible()
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    placed = await asyncio.gather(
        *(phone.place_call(number, from_=f"+33199{index:06d}") for index in range(CALLS))
    )
    ringing = owner.page.get_by_role("list", name="Ringing calls").get_by_role("listitem")
    await expect(ringing).to_have_count(CALLS, timeout=20_000)
    calls = (await tenant.rest("GET", "/api/calls?limit=100"))["calls"]
    due_first = sorted(calls, key=lambda call: call["ring_deadline"])
    shown = [await row.get_by_role("link").get_attribute("href") for row in await ringing.all()]
    assert set(shown) == {f"#/call/{call['call_id']}" for call in due_first}
    deadlines = {f"#/call/{call['call_id']}": call["ring_deadline"] for call in calls}
    assert [deadlines[each] for each in shown] == sorted(deadlines.values())

    refused = due_first[::2]
    await asyncio.gather(
        *(tenant.rest("POST", f"/api/call/{call['call_id']}/refuse") for call in refused)
    )
    others = owner.page.get_by_role("list", name="Calls", exact=True).get_by_role("listitem")
    await expect(others.filter(has_text="Declined")).to_have_count(len(refused), timeout=20_000)
    for call in placed:
        call.hangup()
    await expect(ringing).to_have_count(0, timeout=20_000)
    await expect(others).to_have_count(CALLS)
    await owner.page.get_by_role("combobox", name="State").select_option("declined")
    await expect(others).to_have_count(len(refused))
