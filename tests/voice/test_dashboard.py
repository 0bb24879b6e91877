"""Test of a person without a headset at the dashboard: a caller speaks into the microphone of a
browser, and is read and answered by text in another one.
"""

from __future__ import annotations

import asyncio
import wave
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from common import g711
from tests.browser.chromium import PROGRAM, Loudspeaker, chromium
from tests.browser.person import person
from tests.browser.voices import MICROPHONE_HZ
from tests.support.models import word_errors
from tests.support.running import Live

MOST_WRONG = 0.34
QUESTION = "I would like to make an appointment for next Monday."
ANSWER = "Of course. At what time would you like to come?"
READ_WITHIN_S = 60
PAUSE_S = 6


@pytest.fixture
def microphone(tmp_path):
    """Make the file of a microphone, in which something is said again and again, with pauses."""

    def of(ulaw: bytes):
        samples = g711.DECODE_TABLE[np.frombuffer(ulaw, np.uint8)]
        spoken = np.concatenate([np.zeros(8000 * PAUSE_S), samples, np.zeros(8000)])
        times = MICROPHONE_HZ // 8000
        raised = np.repeat(spoken, times)
        with wave.open(str(tmp_path / "microphone.wav"), "wb") as file:
            file.setparams((1, 2, MICROPHONE_HZ, 0, "NONE", ""))
            file.writeframes(raised.astype("<i2").tobytes())
        return tmp_path / "microphone.wav"

    return of


@pytest_asyncio.fixture(loop_scope="session")
async def people(live):
    """Come with browsers: `agent = await people(key)`; with a microphone as the caller."""
    async with AsyncExitStack() as stack:

        async def come(key: str, spoken=None):
            browser = await stack.enter_async_context(chromium(spoken))
            one = await stack.enter_async_context(person(browser, live.stack["api_url"]))
            await one.open()
            await one.sign_in(key)
            return one

        yield come


@pytest.fixture(scope="module", autouse=True)
def installed_browser():
    """Says so once, rather than in every test."""
    if not Path(PROGRAM).exists():
        pytest.fail("this test needs a Debian package: make .venv/.debian")


async def reads(lines, text: str) -> None:
    """Wait until one of the lines has this text, as well as it is understood."""
    async with asyncio.timeout(READ_WITHIN_S):
        while True:
            for line in await lines.all_inner_texts():
                if word_errors(text, line) <= MOST_WRONG:
                    return
            await asyncio.sleep(0.2)


async def test_what_a_caller_says_is_read_and_what_is_typed_is_heard(
    live, people, speech, microphone
):
    key = live.stack["api_key"]
    caller = await people(key, microphone(await speech.spoken(QUESTION)))
    agent = await people(key)
    await caller.page.get_by_role("button", name="Test call to").first.click()
    link = caller.panel("Test call to").get_by_role("link", name="See the call")
    call_id = (await link.get_attribute("href")).rpartition("/")[2]
    await agent.open(f"#/call/{call_id}")
    await agent.press("Answer by text")
    log = agent.page.get_by_role("log", name="Transcript")
    said = log.get_by_role("listitem")
    await reads(said.filter(has_text="Caller").locator(".said"), QUESTION)
    await caller.press("Mute", exact=True)

    box = agent.page.get_by_role("textbox", name="Say")
    await box.fill(ANSWER)
    await box.press("Enter")
    answer = said.filter(has_text=ANSWER)
    await expect(answer).to_be_visible()
    await expect(box).to_have_value("")
    await expect(box).to_be_focused()
    note = answer.locator(":scope > :last-child")
    await expect(note).to_have_text("", timeout=READ_WITHIN_S * 1000)  # it neither waits nor speaks
    heard = await speech.heard(g711.encode((await Loudspeaker(caller.page).heard()).tobytes()))
    assert word_errors(ANSWER, heard) <= MOST_WRONG, heard

    assert await agent.serious_faults() == []

    await caller.press("Hang up", exact=True)
    await expect(box).to_be_hidden()
    await expect(said.filter(has_text=ANSWER)).to_have_count(1)
    await agent.press("Delete transcript")
    await agent.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(said).to_have_count(0)
    kept = await live.rest("GET", f"/api/call/{call_id}/transcript")
    assert kept["entries"] == []


async def test_a_number_gets_a_hosted_voice(live, people):
    one = await people(live.stack["api_key"])
    card = one.page.get_by_role("region").filter(has_text="Auto-answer").first
    await card.get_by_text("Voice", exact=True).click()
    await card.get_by_label("Who speaks").select_option("hosted")
    (first, *_) = (await live.rest("GET", "/api/voices"))["voices"]
    await card.get_by_label("Its voice").select_option(first["name"])
    await card.get_by_label("Speed").fill("1.2")
    assert await one.serious_faults() == []
    await card.get_by_role("button", name="Save voice").click()
    await expect(card).to_contain_text(f"A hosted voice speaks: {first['name']}, at speed 1.2.")
    (number, *_) = (await live.rest("GET", "/api/numbers"))["numbers"]
    assert number["voice"] == "hosted"
    assert (number["voice_settings"]["name"], number["voice_settings"]["speed"]) == (
        first["name"], 1.2,
    )  # fmt: skip
    await card.get_by_label("Who speaks").select_option("own")
    await card.get_by_role("button", name="Save voice").click()
    await expect(card).to_contain_text("An agent speaks")
    (number, *_) = (await live.rest("GET", "/api/numbers"))["numbers"]
    assert (number["voice"], number["voice_settings"]) == ("own", None)


async def test_an_account_outside_the_beta_reads_how_to_get_in(stack, people):
    newcomer = Live.newcomer(stack)
    one = await people(newcomer.stack["api_key"])
    await one.page.get_by_text("Voice", exact=True).click()
    problem = one.page.get_by_role("alert")
    await expect(problem).to_contain_text("beta")
    await expect(problem).to_contain_text("operator")
    assert await one.page.get_by_role("button", name="Save voice").count() == 0
