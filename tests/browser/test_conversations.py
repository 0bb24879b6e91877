"""From no account to a conversation, with nothing but a browser: its microphone calls, its
loudspeaker is listened to.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from chalicelib.domain.instant import from_text
from local.agent import Rest, Talk
from tests.browser.person import Person, person
from tests.browser.voices import until_heard
from tests.sip.peers.rtp import ULAW

RINGS_FOR_S = 60


@dataclass
class Newcomer:
    """Who came with nothing, has an account and a number by now, and has called it."""

    person: Person
    rest: Rest
    number: str
    missed_call: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def newcomer(told, browsers, theirs):
    """Their first call rings, unanswered, while the other tests run."""
    async with person(await browsers(theirs), told["api_url"]) as one:
        rest = Rest(told["api_url"], await one.sign_up("Newcomer"))
        await expect(one.page.get_by_text("No number yet")).to_be_visible()
        await one.press("Activate routing number")
        number = one.page.get_by_role("heading", level=2, name=re.compile(r"^\+"))
        await expect(number).to_be_visible()
        await one.press("Test call to")
        await one.go("Calls")
        ringing = one.page.get_by_role("region", name="Ringing now")
        await expect(ringing.get_by_role("listitem")).to_contain_text("Test call from the browser")
        (call,) = (await rest("GET", "/api/calls"))["calls"]
        yield Newcomer(one, rest, call["to"], call["call_id"])


@pytest.fixture
def status():
    def of(panel):
        return panel.get_by_role("status").first

    return of


async def test_a_call_counts_down_while_it_rings(newcomer):
    clock = newcomer.person.page.get_by_role("region", name="Ringing now").get_by_role("timer")

    async def left():
        minutes, seconds = (await clock.inner_text()).split(":")
        return int(minutes) * 60 + int(seconds)

    first = await left()
    assert 0 < first <= RINGS_FOR_S
    async with asyncio.timeout(5):
        while await left() >= first - 1:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)


async def test_caller_and_agent_in_two_browsers_hear_each_other(
    newcomer, somebody, status, ours, theirs
):
    agent = await somebody(ours)
    await agent.open("#/calls")
    await agent.sign_in(newcomer.rest.key)
    caller = await somebody(theirs)
    await caller.open()
    await caller.sign_in(newcomer.rest.key)
    await caller.press("Test call to")
    talk = caller.panel("Test call to")
    await expect(status(talk)).to_contain_text("Ringing")
    rows = agent.page.get_by_role("list", name="Ringing calls").get_by_role("listitem")
    await expect(rows).to_have_count(2)
    await rows.nth(1).get_by_role("button", name="Answer here").click()
    await expect(status(talk)).to_contain_text("Connected")
    await asyncio.gather(caller.hears(ours), agent.hears(theirs))
    level = talk.get_by_role("meter", name="Level of the other side")
    assert -59 < int(await level.get_attribute("aria-valuenow")) <= 0

    await talk.get_by_role("button", name="Keypad").click()
    await talk.get_by_role("button", name="Key 5").click()
    answering = agent.panel("Answering")
    await expect(answering).to_contain_text("Keys heard: 5")
    await answering.get_by_role("button", name="Hang up").click()
    await expect(talk).to_be_hidden(timeout=15_000)
    newest = (await newcomer.rest("GET", "/api/calls"))["calls"][0]
    assert (newest["state"], newest["end_reason"]) == ("ended", "agent_hangup")


async def test_with_auto_answer_an_agent_of_ones_own_is_on_the_line_at_once(
    newcomer, somebody, status, ours, theirs
):
    caller = await somebody(theirs)
    await caller.open()
    await caller.sign_in(newcomer.rest.key)
    auto = caller.page.get_by_role("switch", name="Auto-answer")
    await auto.check()
    await expect(caller.page.get_by_text("saving…")).to_have_count(0)
    await caller.press("Test call to")
    talk = caller.panel("Test call to")
    await expect(status(talk)).to_contain_text("Connected")
    call = (await newcomer.rest("GET", "/api/calls"))["calls"][0]
    assert (call["state"], call["auto_answer"]) == ("active", True)
    agent = Talk(call["audio"])
    talking = asyncio.create_task(agent.run(ours.mulaw()))

    async def agent_heard():
        return ULAW[np.frombuffer(bytes(agent.heard), np.uint8)]

    await asyncio.gather(caller.hears(ours), until_heard(theirs, agent_heard))
    await talk.get_by_role("button", name="Hang up").click()
    await asyncio.wait_for(talking, 15)
    await auto.uncheck()
    await expect(caller.page.get_by_text("saving…")).to_have_count(0)
    assert (await newcomer.rest("GET", "/api/numbers"))["numbers"][0]["auto_answer"] is False


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_calls_panel_covers_nothing_and_goes_after_the_call(
    newcomer, somebody, status, theirs, width
):
    caller = await somebody(theirs, viewport={"width": width, "height": 600})
    await caller.open()
    await caller.sign_in(newcomer.rest.key)
    await caller.press("Test call to")
    talk = caller.panel("Test call to")
    await expect(talk.get_by_role("button", name="Answer here", exact=True)).to_be_visible()
    await caller.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    panel = await talk.bounding_box()
    cards = await caller.page.locator("main .card").all()
    for box in [await card.bounding_box() for card in cards]:
        beside = box["x"] + box["width"] <= panel["x"] or box["y"] + box["height"] <= panel["y"]
        assert beside, (box, panel)
    newest = (await newcomer.rest("GET", "/api/calls"))["calls"][0]
    await newcomer.rest("POST", f"/api/call/{newest['call_id']}/refuse")
    await expect(talk.get_by_role("button", name="Close")).to_be_visible()
    await expect(talk.get_by_role("button", name="Hide")).to_have_count(0)
    await expect(talk).to_be_hidden(timeout=15_000)


async def test_whoever_refuses_a_microphone_can_listen(told, newcomer, somebody, status):
    caller = await somebody()
    await caller.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => "
        "{ throw new DOMException('no', 'NotAllowedError'); }"
    )
    await caller.open()
    await caller.sign_in(newcomer.rest.key)
    await caller.press("Test call to")
    talk = caller.panel("Test call to")
    await expect(talk).to_contain_text("Listening only. The microphone is blocked for this page.")
    await expect(status(talk)).to_contain_text("Ringing")
    await talk.get_by_role("button", name="Hang up").click()


async def test_nobody_answered_for_a_minute_and_the_page_says_so(newcomer):
    page = newcomer.person.page
    await newcomer.person.open(f"#/call/{newcomer.missed_call}")
    state = page.get_by_role("region", name="State")
    await expect(state).to_contain_text("Missed", timeout=65_000)
    await expect(state).to_contain_text("Nobody answered within 60 seconds.")
    await expect(state).to_contain_text("switch on auto-answer")
    call = await newcomer.rest("GET", f"/api/call/{newcomer.missed_call}")
    rang_ms = from_text(call["ended_at"]) - from_text(call["created_at"])
    assert RINGS_FOR_S * 1000 <= rang_ms <= RINGS_FOR_S * 1000 + 1500
