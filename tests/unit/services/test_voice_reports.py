"""Tests that what voice hosts report becomes a transcript and events: once, in order, bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain import transcript, voice_report
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.voice_report import Heard, Report, Resumed, Spoken
from chalicelib.services import inbox
from chalicelib.services.call import voice_reports
from chalicelib.services.call.at_the_relay import NotHosted
from chalicelib.services.call.media import CallOver
from chalicelib.services.call.transition import UnknownCall, settle
from tests.support.engine import everything_in
from tests.support.relay_door import talking
from tests.support.world import World


@pytest.fixture
def world(table):
    return World(table)


def heard(text, at=1000, **more):
    return Heard(
        **{"type": "transcript", "sequence": at, "text": text, "final": True}
        | {"started_ms": max(0, at - 500), "ended_ms": at, "confidence": 0.9}
        | more
    )


def spoken(state="finished", utterance_id="utt_1", **more):
    told = {"heard_text": "Good morning", "heard_ms": 700} if state != "started" else {}
    return Spoken(
        **{"type": "speech", "utterance_id": utterance_id, "state": state, "started_ms": 2000}
        | told
        | more
    )


def take(world, call, *items, sequence=1, host="voice-1"):
    return voice_reports.take_report(world.deps, call.call_id, Report(host, sequence, items))


def told(world, *kinds):
    """The data of the account's events about speech, in order."""
    found, cursor = [], None
    while True:
        page, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
        if not page:
            return found
        found += [
            {"type": event.type.value, **event.data}
            for event in page
            if event.type.value in (kinds or ("call.transcript", "call.speech", "call.voice"))
        ]


def entries(world, call):
    return world.stores.transcripts.entries(call.call_id, 0, 100)


def test_what_is_said_becomes_a_transcript_and_events_in_order(world):
    call = talking(world)
    take(world, call, spoken("started"), spoken(sequence=2800), heard("I am Ada.", 4000))
    first, second = entries(world, call)
    assert (first.speaker, first.text, first.utterance_id) == ("agent", "Good morning", "utt_1")
    assert (first.started_ms, first.ended_ms, first.interrupted) == (2000, 2700, False)
    assert (second.speaker, second.text, second.sequence) == ("caller", "I am Ada.", 4000)
    assert [(each["type"], each.get("state"), each.get("text")) for each in told(world)] == [
        ("call.speech", "started", None),
        ("call.speech", "finished", None),
        ("call.transcript", None, "I am Ada."),
    ]
    assert told(world)[1]["heard_text"] == "Good morning"
    assert told(world)[2]["confidence"] == 0.9


def test_a_report_that_comes_twice_changes_nothing(world, table):
    call = talking(world)
    take(world, call, heard("Hello"), spoken())
    before = everything_in(table)
    take(world, call, heard("Hello"), spoken())
    assert everything_in(table) == before


def test_two_equal_reports_at_once_are_taken_once(world):
    call = talking(world)
    with ThreadPoolExecutor(4) as many:
        list(many.map(lambda _: take(world, call, heard("Hello"), spoken()), range(4)))
    assert [entry.text for entry in entries(world, call)] == ["Hello", "Good morning"]
    assert len(told(world)) == 2


def test_reports_of_two_hosts_at_once_are_both_taken(world):
    call = talking(world)
    with ThreadPoolExecutor(2) as many:
        list(
            many.map(
                lambda n: take(world, call, heard(f"{n}"), host=f"voice-{n}", sequence=10 - n),
                (1, 2),
            )
        )
    assert {entry.text for entry in entries(world, call)} == {"1", "2"}
    assert len({entry.sequence for entry in entries(world, call)}) == 2


def test_what_is_said_while_a_report_is_taken_stays_open(world):
    call, store = talking(world), world.stores.transcripts
    before = store.speech(call.call_id)
    report = Report("voice-1", 1, [spoken()])
    taken = voice_report.take_items(call, before, report, world.clock.ms, told=True)
    store.open(call.call_id, "utt_2", 5, world.clock.ms)
    store.take(call.call_id, before, taken, world.clock.ms)
    assert store.speech(call.call_id).open == {"utt_2"}


def test_entries_keep_their_order_if_a_host_numbers_them_anew(world):
    call = talking(world)
    take(world, call, heard("first", 5000))
    take(world, call, heard("second", 100), host="voice-2", sequence=1)
    assert [(each.text, each.sequence) for each in entries(world, call)] == [
        ("first", 5000),
        ("second", 5001),
    ]


def test_partials_are_told_only_to_who_wants_them_and_never_kept(world):
    for partials, expected in ((False, []), (True, ["Hello I"])):
        call = talking(world, partials=partials)
        take(world, call, heard("Hel", final=False), heard("Hello I", final=False))
        assert entries(world, call) == []
        assert [
            each["text"] for each in told(world) if each["call_id"] == call.call_id
        ] == expected, "the last of a report says what the others said"


def test_without_a_transcript_nothing_is_kept_and_events_have_no_text(world, table):
    call = talking(world, transcript=False, partials=True)
    take(world, call, heard("my PIN is 12 34"), heard("12", final=False), spoken())
    assert entries(world, call) == []
    (speech,) = told(world)
    assert (speech["state"], "heard_text" in speech) == ("finished", False)
    assert not [item for item in everything_in(table) if "12 34" in str(item)]


def test_utterances_of_a_host_that_went_are_interrupted(world):
    call, store = talking(world), world.stores.transcripts
    for utterance_id in ("utt_1", "utt_2"):
        store.open(call.call_id, utterance_id, 5, world.clock.ms)
    take(world, call, spoken())
    take(world, call, Resumed(type="resumed"), host="voice-2", sequence=1)
    events = told(world)
    assert events[1] == {"type": "call.voice", "call_id": call.call_id, "state": "resumed"}
    assert (events[2]["utterance_id"], events[2]["why"]) == ("utt_2", "host_lost")
    assert len(events) == 3
    late = spoken("interrupted", "utt_2", why="call_over")
    take(world, call, late, sequence=2)
    assert len(told(world)) == 3, "it was told of already"
    assert store.speech(call.call_id).open == frozenset()


def test_what_a_host_reports_after_another_took_over_is_behind_what_listeners_have(world):
    call = talking(world)
    take(world, call, heard("one", 1000))
    world.clock.advance(5)
    take(world, call, Resumed(type="resumed"), host="voice-2")
    listened_to = world.clock.ms - call.answered_at
    take(world, call, heard("two", 1500), sequence=2)
    take(world, call, heard("three", listened_to + 4000), host="voice-2", sequence=2)
    one, two, three = entries(world, call)
    assert [one.text, two.text, three.text] == ["one", "two", "three"]
    assert (one.sequence, three.sequence) == (1000, listened_to + 4000)
    assert two.sequence >= listened_to


def test_the_largest_report_is_one_transaction(world):
    call, store = talking(world), world.stores.transcripts
    for number in range(transcript.MAX_OPEN):
        store.open(call.call_id, f"utt_{number}", 5, world.clock.ms)
    items = [heard(f"{n}", 1000 + n) for n in range(transcript.MAX_ITEMS - 1)]
    take(world, call, *items, Resumed(type="resumed"))
    assert len(entries(world, call)) == transcript.MAX_ITEMS - 1
    assert len(told(world)) == transcript.MAX_ITEMS + transcript.MAX_OPEN


def test_a_full_transcript_keeps_nothing_more_and_goes_on_telling_of_speech(
    world, monkeypatch, caplog
):
    monkeypatch.setattr(voice_report, "MAX_ENTRIES", 2)
    call = talking(world)
    take(world, call, heard("1"), heard("2"), heard("3"), spoken())
    assert [entry.text for entry in entries(world, call)] == ["1", "2"]
    assert [each["type"] for each in told(world)][-1] == "call.speech"
    assert "the transcript is full" in caplog.text


def test_the_bytes_of_a_transcript_are_bounded(world, monkeypatch):
    monkeypatch.setattr(voice_report, "MAX_BYTES", 9)
    call = talking(world)
    take(world, call, heard("ééé"), heard("éé"), heard("abc"))
    assert [entry.text for entry in entries(world, call)] == ["ééé", "abc"]


def test_a_long_text_is_cut_instead_of_refused(world):
    call = talking(world)
    take(world, call, heard("x" * 2001))
    assert len(entries(world, call)[0].text) == transcript.MAX_TEXT


def test_texts_beyond_the_accounts_budget_are_kept_and_not_told(world, monkeypatch):
    monkeypatch.setattr(
        voice_reports, "TOLD", transcript.Limit("transcripts", 1, 60)
    )  # fmt: skip
    call = talking(world)
    for number in (1, 2):
        take(world, call, heard(f"{number}"), spoken(), sequence=number)
    assert [entry.text for entry in entries(world, call) if entry.speaker == "caller"] == ["1", "2"]
    assert [each["text"] for each in told(world, "call.transcript")] == ["1"]
    assert len(told(world, "call.speech")) == 2


def test_the_last_reports_of_a_few_hosts_are_remembered(world):
    call = talking(world)
    for number in range(1, 8):
        take(world, call, heard(f"{number}"), host=f"voice-{number}", sequence=number)
    known = world.stores.transcripts.speech(call.call_id).reports
    assert set(known) == {"voice-4", "voice-5", "voice-6", "voice-7"}


def test_a_report_about_a_call_that_just_ended_is_taken_and_a_late_one_is_refused(world):
    call = talking(world)
    settle(world.deps, call, Act.CALLER_HANGUP)
    world.clock.advance(5)
    assert take(world, call, spoken("interrupted", why="call_over")).state.final
    assert len(entries(world, call)) == 1
    world.clock.advance(transcript.LATE_MS / 1000)
    with pytest.raises(CallOver):
        take(world, call, spoken(), sequence=2)


def test_a_report_about_a_call_that_is_not_hosted_or_not_there_is_refused(world):
    with pytest.raises(NotHosted):
        take(world, talking(world, "own"), heard("Hello"))
    with pytest.raises(UnknownCall):
        voice_reports.take_report(world.deps, "call_" + "7" * 26, Report("voice-1", 1, []))


def test_what_is_kept_goes_when_events_go(world, table):
    call = talking(world)
    take(world, call, heard("Hello"))
    kept = [
        item["expires_at"]
        for item in everything_in(table)
        if item["pk"].startswith(f"CALL#{call.call_id}#TRANSCRIPT")
        or (item["pk"], item["sk"]) == (f"CALL#{call.call_id}", "VOICE")
    ]
    assert kept == [world.clock.ms // 1000 + 7 * 24 * 3600] * 2


def test_words_are_not_logged(world, caplog):
    take(world, talking(world), heard("my PIN is 12 34"), spoken(heard_text="the secret word"))
    assert "12 34" not in caplog.text
    assert "secret word" not in caplog.text
