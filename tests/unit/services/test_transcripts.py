"""Tests that a transcript is read, waited for at the voice host, and deleted."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.domain.voice_report import Heard, Report, Spoken
from chalicelib.services.call import transcripts, voice_reports
from chalicelib.services.call.transcripts import Place
from chalicelib.services.call.transition import settle
from tests.support.relay_door import done, talking, with_door
from tests.support.world import World


@pytest.fixture
def world(table):
    return World(table)


@pytest.fixture
def door(world):
    return with_door(world)


@pytest.fixture
def call(world, door):
    return talking(world)


def listen(world, call, after=0, wait_s=0.0):
    return transcripts.read(world.deps, world.account_id, call.call_id, Place(after), wait_s)


def hear(world, call, text, at, sequence=1):
    said = Heard(type="transcript", sequence=at, text=text, final=True, started_ms=at, ended_ms=at)
    voice_reports.take_report(world.deps, call.call_id, Report("voice-1", sequence, [said]))


def said(text, sequence):
    return {
        "sequence": sequence, "text": text, "started_ms": 1, "ended_ms": 2, "confidence": None,
    }  # fmt: skip


def test_a_listener_gets_what_is_kept_at_once(world, door, call):
    hear(world, call, "Hello", 500)
    found = listen(world, call, wait_s=20)
    assert ([entry.text for entry in found.entries], found.next) == (["Hello"], 500)
    assert door.asked == []
    assert listen(world, call, after=500).entries == []


def test_a_listener_waits_at_the_voice_host(world, door, call):
    door.answering = [done({"said": [said("Yes", 900)], "next": 900, "speaking": True})]
    found = listen(world, call, after=500, wait_s=20)
    assert ([entry.text for entry in found.entries], found.next) == (["Yes"], 900)
    assert found.speaking
    params = door.asked[0]["params"]
    assert params == {"method": "listen", "params": {"after": 500, "wait_s": 20}}


def test_what_was_reported_meanwhile_is_between_what_the_host_heard(world, door, call):
    def answer(_):
        hear(world, call, "before", 600)
        return {"ok": True, "result": {"said": [said("Yes", 900)], "next": 900, "speaking": False}}

    door.answering = [answer]
    found = listen(world, call, wait_s=20)
    assert [entry.text for entry in found.entries] == ["before", "Yes"]
    assert found.next == 900


def test_an_entry_that_is_reported_after_a_listener_had_a_later_one_is_not_missed(
    world, door, call
):
    uttered = {
        "sequence": 800, "utterance_id": "utt_1", "text": "Hello?", "started_ms": 100,
        "ended_ms": 700, "interrupted": True,
    }  # fmt: skip
    result = {"said": [said("Yes", 900)], "uttered": [uttered], "next": 900, "speaking": False}
    door.answering = [done(result)]
    found = listen(world, call, wait_s=20)
    items = [
        Spoken(
            type="speech", utterance_id="utt_1", state="interrupted", sequence=800,
            heard_text="Hello?", heard_ms=600, started_ms=100,
        ),
        Heard(type="transcript", sequence=900, text="Yes", final=True, started_ms=1, ended_ms=2),
    ]  # fmt: skip
    voice_reports.take_report(world.deps, call.call_id, Report("voice-1", 1, items))
    assert found.entries == listen(world, call).entries, "it had all that is kept up to `next`"
    assert [(each.speaker, each.text) for each in found.entries] == [
        ("agent", "Hello?"),
        ("caller", "Yes"),
    ]
    assert listen(world, call, after=found.next).entries == []


def test_a_listener_looks_at_what_is_reported_if_the_host_is_not_reached(world, door, call):
    door.down = True
    pause, paused = world.deps.pause, []

    def meanwhile(seconds):
        paused.append(seconds)
        pause(seconds)
        if len(paused) == 3:
            hear(world, call, "Hello", 500)

    object.__setattr__(world.deps, "pause", meanwhile)
    assert [entry.text for entry in listen(world, call, wait_s=20).entries] == ["Hello"]
    before = world.clock.ms
    assert listen(world, call, after=500, wait_s=3).entries == []
    assert 2900 <= world.clock.ms - before <= 3600


def test_a_listener_of_a_call_that_ends_does_not_wait_on(world, door, call):
    door.down = True
    settle(world.deps, call, Act.CALLER_HANGUP)
    before = world.clock.ms
    found = listen(world, call, wait_s=20)
    assert (found.entries, found.call.state.value) == ([], "ended")
    assert world.clock.ms == before


def test_without_a_transcript_the_voice_host_alone_tells_what_is_said(world, door):
    call = talking(world, transcript=False)
    door.answering = [done({"said": [said("my PIN", 900)], "next": 900, "speaking": False})]
    assert [entry.text for entry in listen(world, call).entries] == ["my PIN"]
    assert world.stores.transcripts.entries(call.call_id, 0, 10) == []


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_deleted_does_not_come_back_from_the_voice_host(world, door, kept):
    call = talking(world, transcript=kept)
    world.clock.advance(5)
    hear(world, call, "my number", 900)
    transcripts.delete(world.deps, world.account_id, call.call_id)

    def host(asked):
        texts = [said("my number", 900), said("Yes", 6000)]
        after = asked["params"]["params"]["after"]
        new = [each for each in texts if each["sequence"] > after]
        return {"ok": True, "result": {"said": new, "next": 6000, "speaking": False}}

    door.answering = [host]
    found = listen(world, call, wait_s=20)
    assert ([entry.text for entry in found.entries], found.next) == (["Yes"], 6000)


def test_a_long_transcript_comes_in_pages_and_can_be_deleted(world, door, call):
    for number in range(1, 6):
        texts = [
            Heard(
                type="transcript", sequence=number * 100 + n, text=f"{number}.{n}", final=True,
                started_ms=0, ended_ms=0,
            )
            for n in range(30)
        ]  # fmt: skip
        voice_reports.take_report(world.deps, call.call_id, Report("voice-1", number, texts))
    first = listen(world, call)
    rest = listen(world, call, after=first.next)
    assert (len(first.entries), len(rest.entries)) == (100, 50)
    newest = transcripts.newest(world.deps, call, 2)
    assert [entry.text for entry in newest] == ["5.28", "5.29"]
    transcripts.delete(world.deps, world.account_id, call.call_id)
    assert listen(world, call).entries == []
    hear(world, call, "again", 900, sequence=9)
    assert [entry.text for entry in listen(world, call).entries] == ["again"]
