"""Hold, transfer and recording by hand, on the page of a call that is up."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect

from common import g711
from gateway.softphone.phone import Softphone
from tests.browser.test_sound import tone
from tests.sip.peers import Carrier, Sipp
from tests.sip.support import CALLED, PASSWORD, USER, Agent

WITHIN_MS = 20_000


@pytest_asyncio.fixture(loop_scope="session")
async def talking(tenant, told):
    """A caller, and the id of their call, in which an agent is."""
    number = (await tenant.rest("POST", "/api/number", {"country": "US"}))["e164"]
    await tenant.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    phone = Softphone(
        told["gateway_url"], told["provider_account_sid"], told["provider_auth_token"]
    )
    caller = await phone.place_call(number)
    await caller.answered.wait()
    (call,) = (await tenant.rest("GET", "/api/calls"))["calls"]
    async with Agent(call) as agent:
        await asyncio.wait_for(agent.talk.started.wait(), 10)
        yield caller, call["call_id"]
        caller.hangup()


@pytest_asyncio.fixture(loop_scope="session")
async def carrier(tenant):
    """The one that the account's trunk is registered with."""
    async with Carrier({USER: PASSWORD}) as carrier:
        await tenant.register(carrier)
        yield carrier
        await tenant.rest("DELETE", "/api/trunk")


def card(owner, name):
    return owner.page.get_by_role("region", name=name, exact=True)


async def test_a_call_is_put_on_hold_and_taken_off_by_hand(owner, tenant, talking):
    _, call_id = talking
    await owner.open(f"#/call/{call_id}")
    line = card(owner, "Hold and transfer")
    await line.get_by_role("button", name="Hold").click()
    await expect(line.get_by_role("status").first).to_contain_text("The call is on hold")
    assert (await tenant.call(call_id))["hold"] == "agent"
    await line.get_by_role("button", name="Resume").click()
    await expect(line.get_by_role("button", name="Hold")).to_be_focused()
    await expect(line.get_by_role("status").first).to_be_empty()
    assert "hold" not in await tenant.call(call_id)
    timeline = card(owner, "Timeline")
    await expect(timeline.get_by_text("On hold", exact=True)).to_be_visible()
    await expect(timeline.get_by_text("Off hold", exact=True)).to_be_visible()


async def test_a_hold_from_elsewhere_is_shown_while_what_is_typed_stays(owner, tenant, talking):
    _, call_id = talking
    await owner.open(f"#/call/{call_id}")
    line = card(owner, "Hold and transfer")
    await line.get_by_text("Transfer", exact=True).first.click()
    await line.get_by_role("textbox", name="Transfer to").fill("+3319900")
    await tenant.rest("POST", f"/api/call/{call_id}/hold", {"music": False})
    await expect(line.get_by_role("status").first).to_contain_text("The call is on hold")
    await expect(line.get_by_role("textbox", name="Transfer to")).to_have_value("+3319900")
    assert await owner.serious_faults() == []


async def test_a_hold_by_the_other_party_is_told_in_words(owner, talking):
    _, call_id = talking

    async def held(route):
        response = await route.fetch()
        await route.fulfill(response=response, json=await response.json() | {"hold": "far_end"})

    await owner.page.route(f"**/api/call/{call_id}", held)
    await owner.open(f"#/call/{call_id}")
    line = card(owner, "Hold and transfer")
    await expect(line.get_by_text("The other party has put the call on hold")).to_be_visible()
    await expect(line.get_by_role("button", name="Hold")).to_be_visible()


async def test_a_call_is_transferred_by_hand_to_a_number_at_the_carrier(
    owner, tenant, talking, carrier
):
    caller, call_id = talking
    async with Sipp.uas("answers") as callee:
        await carrier.route(CALLED, callee.address)
        await owner.open(f"#/call/{call_id}")
        line = card(owner, "Hold and transfer")
        await line.get_by_text("Transfer", exact=True).first.click()
        await line.get_by_role("textbox", name="Transfer to").fill("12")
        await line.get_by_role("button", name="Transfer", exact=True).click()
        await expect(line.get_by_text("write it as at home")).to_be_visible()
        await line.get_by_role("textbox", name="Transfer to").fill(CALLED)
        await line.get_by_role("button", name="Transfer", exact=True).click()
        status = line.get_by_role("status").first
        await expect(status).to_contain_text("Transferred", timeout=WITHIN_MS)
        await expect(status).to_contain_text("The two parties talk to each other")
        await expect(line.get_by_role("button")).to_have_count(0)
        await line.get_by_role("link", name="The third party's call").click()
        parties = card(owner, "Parties")
        await parties.get_by_role("link", name="the call that is transferred").click()
        await expect(status).to_contain_text("Transferred")
        caller.hangup()
        await tenant.over({"call_id": call_id})
        assert (await tenant.call(call_id))["transfer"]["state"] == "completed"


@pytest.mark.deep
async def test_a_warm_transfer_is_talked_over_and_completed_by_hand(
    owner, tenant, talking, carrier
):
    _, call_id = talking
    async with Sipp.uas("answers") as callee:
        await carrier.route(CALLED, callee.address)
        await owner.open(f"#/call/{call_id}")
        line = card(owner, "Hold and transfer")
        await line.get_by_text("Transfer", exact=True).first.click()
        await line.get_by_role("textbox", name="Transfer to").fill(CALLED)
        await line.get_by_role("combobox", name="How").select_option("warm")
        await line.get_by_role("button", name="Transfer", exact=True).click()
        status = line.get_by_role("status").first
        await expect(status).to_contain_text("The third party has answered", timeout=WITHIN_MS)
        await expect(status).to_contain_text("The far end waits")
        await line.get_by_role("button", name="Talk to the third party").click()
        panel = owner.panel("Talking to: +33")
        await expect(panel.get_by_role("status").first).to_contain_text("Connected")
        await line.get_by_role("button", name="Complete transfer").click()
        await expect(status).to_contain_text("The two parties talk to each other")
        await expect(panel).to_be_hidden(timeout=WITHIN_MS)
        assert (await tenant.call(call_id))["transfer"]["mode"] == "warm"


async def test_a_recording_made_by_hand_is_played_and_deleted(owner, tenant, talking):
    caller, call_id = talking
    page = owner.page
    await owner.open(f"#/call/{call_id}")
    recordings = card(owner, "Recordings")
    await recordings.get_by_role("button", name="Start recording").click()
    await expect(recordings.get_by_text("The call is being recorded")).to_be_visible()
    await caller.play(g711.encode(tone(1.2, 600).tobytes()))
    await recordings.get_by_role("button", name="Pause recording").click()
    await expect(recordings.get_by_text("The recording is paused")).to_be_visible()
    await recordings.get_by_role("button", name="Resume recording").click()
    await recordings.get_by_role("button", name="Stop recording").click()
    play = recordings.get_by_role("button", name="Play")
    await expect(play).to_be_visible(timeout=WITHIN_MS)
    await expect(page.locator(".toast.bad")).to_have_count(0)
    (recording,) = (await tenant.rest("GET", f"/api/call/{call_id}/recordings"))["recordings"]
    stored = await tenant.rest("GET", f"/api/recording/{recording['recording_id']}")
    owner.may_ask(urlsplit(stored["url"]).netloc)
    await play.click()
    audio = recordings.locator("audio")
    async with asyncio.timeout(WITHIN_MS / 1000):
        await audio.evaluate(PLAYED)
    length_s = await audio.evaluate("(audio) => audio.duration")
    assert abs(length_s - recording["duration_ms"] / 1000) < 0.1
    assert length_s > 1
    await recordings.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete the recording").click()
    await expect(recordings.get_by_role("listitem")).to_have_count(0)
    listed = await tenant.rest("GET", f"/api/call/{call_id}/recordings")
    assert listed["recordings"] == []


PLAYED = """(audio) => new Promise((resolve, reject) => {
  audio.onended = resolve;
  audio.onerror = () => reject(audio.error.message);
  if (audio.ended) resolve();
})"""
