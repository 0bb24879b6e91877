"""Recordings of calls: when they begin and end, what relays are told, and what becomes of them."""

from __future__ import annotations

import wave
from dataclasses import replace

import pytest

from chalicelib.domain.call import Refused, public_view
from chalicelib.domain.call_line import MUSIC, LineAct
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.composition import header
from chalicelib.domain.recording import (
    LATE_MS,
    MAX_CHANGES,
    MAX_RECORDINGS,
    MAX_TRIES,
    RecordingRefused,
    WantedRecording,
)
from chalicelib.services import sweep
from chalicelib.services.call import call_control, call_writes, compose, recordings
from chalicelib.services.call.relay_news import told_to_relay
from chalicelib.services.call.transition import UnknownCall, settle
from chalicelib.store.recordings import CLAIM_MS, RecordingMoved
from tests.support.object_store import composed_by, objects_of, storage
from tests.support.world import World

SECOND = bytes(16_000)
DAY_S = 24 * 3600


@pytest.fixture
def recorded(world: World) -> World:
    """An application with a storage of recordings."""
    world.deps = replace(world.deps, recordings=storage())
    return world


def active(world: World):
    return settle(world.deps, world.ringing(), Act.ANSWER)


def change(world: World, call, action: str, announce: str = "none"):
    return recordings.change(world.deps, call.account_id, call.call_id, action, announce)


def stored(world: World, call, seconds: int, number: int = 1, begin: int = 0) -> str:
    """Store a recording's segments, one a second; return its id."""
    recording = world.deps.stores.recordings.of_call(call.call_id)[number - 1]
    for second in range(begin, begin + seconds):
        key = recording.segment(second * 1000)
        objects_of(world.deps).kept[key] = bytes([second % 200]) * 16_000
    return recording.recording_id


def finished(world: World, seconds: int = 3):
    """Return the call, and the id of a recording of it that is ready."""
    call = change(world, active(world), "start")
    recording_id = stored(world, call, seconds)
    world.clock.advance(seconds)
    change(world, call, "stop")
    assert compose.compose(world.deps, recording_id) == "ready"
    return call, recording_id


def test_a_call_is_recorded_from_a_request_until_another_and_relays_are_told(recorded):
    call = active(recorded)
    assert "recording" not in told_to_relay(recorded.deps, call)
    call = change(recorded, call, "start", "beep")
    recording_id = call.recordings.current.recording_id
    told = told_to_relay(recorded.deps, call)["recording"]
    assert told == {
        "number": 1,
        "recording_id": recording_id,
        "state": "on",
        "since_ms": call.recordings.current.since,
        "beep": True,
    }
    assert public_view(call)["recording"] == {"recording_id": recording_id, "state": "on"}
    assert (
        told_to_relay(recorded.deps, change(recorded, call, "pause"))["recording"]["state"]
        == "paused"
    )
    assert (
        told_to_relay(recorded.deps, change(recorded, call, "resume"))["recording"]["state"] == "on"
    )
    call = change(recorded, call, "stop")
    told = told_to_relay(recorded.deps, call)["recording"]
    assert (told["number"], told["state"], told["recording_id"]) == (4, "off", recording_id)
    assert "recording" not in public_view(call)
    assert recorded.events()[-1] == "call.recording.started"


def test_what_is_so_already_stays_so(recorded):
    call = change(recorded, active(recorded), "start")
    assert change(recorded, call, "start") == call
    assert change(recorded, call, "resume") == call
    call = change(recorded, call, "pause")
    assert change(recorded, call, "pause") == call
    call = change(recorded, call, "stop")
    assert change(recorded, call, "stop") == call
    assert recorded.events().count("call.recording.started") == 1


def test_a_call_that_is_not_recorded_cannot_be_paused(recorded):
    call = active(recorded)
    for action in ("pause", "resume"):
        with pytest.raises(RecordingRefused) as refused:
            change(recorded, call, action)
        assert refused.value.code == "not_recorded"


def test_only_an_active_call_is_recorded(recorded):
    call = recorded.ringing()
    with pytest.raises(Refused):
        change(recorded, call, "start")
    call = settle(recorded.deps, call, Act.CALLER_HANGUP)
    with pytest.raises(Refused):
        change(recorded, call, "start")


def test_a_call_has_a_limited_number_of_recordings_and_of_changes(recorded):
    call = active(recorded)
    for _ in range(MAX_RECORDINGS):
        change(recorded, call, "start")
        change(recorded, call, "stop")
    with pytest.raises(RecordingRefused, match="10 recordings"):
        change(recorded, call, "start")
    call = change(recorded, active(recorded), "start")
    for _ in range(MAX_CHANGES // 2):
        change(recorded, call, "pause")
        if recorded.reread(call).recordings.number < MAX_CHANGES:
            change(recorded, call, "resume")
    with pytest.raises(RecordingRefused, match="too often"):
        change(recorded, call, "resume")
    change(recorded, call, "stop")


def test_an_account_records_no_more_than_it_may_keep(recorded):
    call, _ = finished(recorded)
    recorded.deps = replace(
        recorded.deps, recordings=replace(recorded.deps.recordings, account_bytes=48_000)
    )
    with pytest.raises(recordings.RecordingsFull):
        change(recorded, call, "start")
    recording = recorded.deps.stores.recordings.of_call(call.call_id)[0]
    recordings.delete(recorded.deps, call.account_id, recording.recording_id)
    assert change(recorded, call, "start").recordings.current


def test_a_full_account_is_no_fault_of_ours_that_its_callers_could_raise_an_alarm_with(
    recorded, caplog
):
    trunk = recorded.register_trunk()
    recorded.new_did("+442079460002", recording="on")
    recorded.deps = replace(
        recorded.deps, recordings=replace(recorded.deps.recordings, account_bytes=0)
    )
    caplog.set_level("WARNING")
    call = recorded.call_of(recorded.call_number(trunk, "+442079460002"))
    assert settle(recorded.deps, call, Act.ANSWER).recordings.current is None
    told = [each for each in caplog.records if "not recorded" in each.message]
    assert [each.levelname for each in told] == ["WARNING"]


def test_bytes_of_recordings_that_have_expired_count_no_more(recorded):
    call, _ = finished(recorded)
    store, account_id = recorded.deps.stores.recordings, call.account_id
    assert store.recorded_bytes(account_id, recorded.clock()) == 48_000 + len(header(0))
    recorded.clock.advance(32 * DAY_S)
    assert store.recorded_bytes(account_id, recorded.clock()) == 0


def test_without_a_storage_nothing_is_recorded_and_calls_go_on(world):
    call = active(world)
    with pytest.raises(recordings.RecordingUnavailable):
        change(world, call, "start")
    trunk = world.register_trunk()
    world.new_did("+442079460001", recording="on")
    call = world.call_of(world.call_number(trunk, "+442079460001"))
    assert settle(world.deps, call, Act.ANSWER).recordings.current is None


def test_calls_of_a_number_are_recorded_from_the_answer_to_the_end(recorded):
    trunk = recorded.register_trunk()
    recorded.new_did("+442079460002", recording="on", recording_announce="none")
    call = recorded.call_of(recorded.call_number(trunk, "+442079460002"))
    assert "recording" not in told_to_relay(recorded.deps, call)
    call = settle(recorded.deps, call, Act.ANSWER)
    assert call.recordings.current.since == call.answered_at
    told = told_to_relay(recorded.deps, call)["recording"]
    assert (told["state"], told["beep"]) == ("on", False)
    assert recorded.events()[-2:] == ["call.answered", "call.recording.started"]
    call = settle(recorded.deps, call, Act.CALLER_HANGUP)
    assert told_to_relay(recorded.deps, call)["recording"]["state"] == "off"
    recording = recorded.deps.stores.recordings.of_call(call.call_id)[0]
    assert (recording.state, recording.stopped_at) == ("stopped", call.ended_at)


@pytest.mark.parametrize(("wanted", "recorded_so"), [("on", "beep"), ("off", None), (None, None)])
def test_an_accept_decides_whether_the_call_is_recorded(recorded, wanted, recorded_so):
    ringing = recorded.ringing()
    call = call_control.accept(
        recorded.deps,
        ringing.account_id,
        ringing.call_id,
        recording=WantedRecording(wanted),
    )
    current = call.recordings.current
    assert (current and current.announce) == recorded_so


def test_an_accept_turns_the_recording_of_a_number_off(recorded):
    trunk = recorded.register_trunk()
    recorded.new_did("+442079460003", recording="on")
    call = recorded.call_of(recorded.call_number(trunk, "+442079460003"))
    off = WantedRecording("off")
    call = call_control.accept(recorded.deps, call.account_id, call.call_id, recording=off)
    assert call.recordings.current is None
    assert not recorded.deps.stores.recordings.of_call(call.call_id)


def test_a_call_that_is_dialled_is_recorded_from_the_answer(recorded):
    call = recorded.dial(recording=WantedRecording("on", "none"))
    call = settle(recorded.deps, call, Act.ANSWER)
    assert call.recordings.current.announce == "none"


def test_an_end_and_a_change_at_once_lose_neither(recorded):
    call = active(recorded)
    read_before = recorded.reread(call)
    change(recorded, call, "start")
    # The end was decided with the call as it was read before the recording began.
    over = settle(recorded.deps, read_before, Act.CALLER_HANGUP)
    assert over.recordings.current is None
    assert recorded.deps.stores.recordings.of_call(call.call_id)[0].state == "stopped"
    with pytest.raises(Refused):
        change(recorded, call, "start")


def test_a_hold_and_a_recording_at_once_lose_neither(recorded):
    read_before = active(recorded)
    change(recorded, read_before, "start")
    held = call_writes.change(recorded.deps, read_before, LineAct.HOLD, source=MUSIC)
    assert (held.media_line.mode, held.recordings.current.state) == ("hold", "on")
    paused = change(recorded, held, "pause")
    assert (paused.media_line.mode, paused.recordings.current.state) == ("hold", "paused")
    assert recorded.reread(held) == paused
    told = told_to_relay(recorded.deps, paused)
    assert (told["line"]["mode"], told["recording"]["state"]) == ("hold", "paused")


def test_segments_become_one_file_and_are_deleted(recorded):
    call, recording_id = finished(recorded, 3)
    recording = recorded.deps.stores.recordings.get(recording_id)
    objects = objects_of(recorded.deps)
    assert list(objects.kept) == [recording.file]
    content = objects.kept[recording.file]
    assert content[len(header(0)) :] == b"".join(bytes([each]) * 16_000 for each in range(3))
    assert (recording.state, recording.duration_ms) == ("ready", 3000)
    assert (recording.bytes, recording.gaps) == (len(content), 0)
    assert recorded.events()[-1] == "call.recording.ready"
    readable = recordings.get(recorded.deps, call.account_id, recording_id)
    assert readable.url.startswith(f"https://bucket.example/{recording.file}?get=900")
    assert readable.expires_at == recorded.clock() + 900_000


def test_the_relays_word_has_a_recording_composed_at_once_but_not_before_it_ends(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 1)
    recordings.uploaded(recorded.deps, call.call_id, recording_id)
    assert composed_by(recorded.deps) == []
    change(recorded, call, "stop")
    recordings.uploaded(recorded.deps, call.call_id, recording_id)
    assert composed_by(recorded.deps) == [recording_id]


def test_the_sweep_composes_the_recording_of_a_relay_that_died(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 1)
    settle(recorded.deps, call, Act.CALLER_HANGUP)
    sweep.sweep_deliveries(recorded.deps)
    assert composed_by(recorded.deps) == []
    recorded.clock.advance(LATE_MS / 1000 + 1)
    assert sweep.sweep_deliveries(recorded.deps)["composed"] >= 1
    assert composed_by(recorded.deps).count(recording_id) == 1
    assert compose.compose(recorded.deps, recording_id) == "ready"
    recorded.clock.advance(3600)
    sweep.sweep_deliveries(recorded.deps)
    assert composed_by(recorded.deps).count(recording_id) == 1


def test_a_recording_of_which_nothing_was_stored_has_failed(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = call.recordings.current.recording_id
    change(recorded, call, "stop")
    assert compose.compose(recorded.deps, recording_id) == "failed"
    assert recorded.events()[-1] == "call.recording.failed"
    assert recorded.deps.stores.recordings.get(recording_id).why == "no_audio"


def test_two_that_compose_at_once_make_one_file(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 1)
    change(recorded, call, "stop")
    store = recorded.deps.stores.recordings
    recording = store.get(recording_id)
    claim = recording.model_copy(
        update={"state": "composing", "tries": 1, "due": recorded.clock() + CLAIM_MS}
    )
    store.change(recording, claim)
    assert compose.compose(recorded.deps, recording_id) == "alone"
    with pytest.raises(RecordingMoved):
        store.change(recording, claim)
    # The other one died: its claim ends.
    recorded.clock.advance(CLAIM_MS / 1000 + 1)
    assert compose.compose(recorded.deps, recording_id) == "ready"
    assert compose.compose(recorded.deps, recording_id) == "alone"


def test_a_composition_that_fails_is_tried_again_and_given_up_in_the_end(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 1)
    change(recorded, call, "stop")
    objects_of(recorded.deps).broken = True
    states = [compose.compose(recorded.deps, recording_id) for _ in range(MAX_TRIES)]
    assert states == ["stopped"] * (MAX_TRIES - 1) + ["failed"]
    assert recorded.deps.stores.recordings.get(recording_id).why == "not_composed"
    assert recorded.events().count("call.recording.failed") == 1


def test_a_recording_is_ready_though_its_segments_cannot_be_deleted(recorded, monkeypatch):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 1)
    change(recorded, call, "stop")
    monkeypatch.setattr(objects_of(recorded.deps), "delete", lambda _: 1 / 0)
    assert compose.compose(recorded.deps, recording_id) == "alone"
    assert recorded.deps.stores.recordings.get(recording_id).state == "ready"
    assert recorded.events()[-1] == "call.recording.ready"


def test_relays_are_given_urls_of_their_own_recording_until_it_is_composed(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = call.recordings.current.recording_id
    urls = recordings.upload_urls(recorded.deps, call.call_id, recording_id, [0, 4000])
    prefix = f"https://bucket.example/segments/{call.account_id}/{call.call_id}/{recording_id}/"
    assert urls == {0: f"{prefix}000000000?put=900", 4000: f"{prefix}000004000?put=900"}
    other = active(recorded)
    with pytest.raises(recordings.UnknownRecording):
        recordings.upload_urls(recorded.deps, other.call_id, recording_id, [0])
    with pytest.raises(recordings.UnknownRecording):
        recordings.upload_urls(recorded.deps, call.call_id, "rec_../../x", [0])
    stored(recorded, call, 1)
    change(recorded, call, "stop")
    assert recordings.upload_urls(recorded.deps, call.call_id, recording_id, [8000])
    compose.compose(recorded.deps, recording_id)
    with pytest.raises(recordings.RecordingOver):
        recordings.upload_urls(recorded.deps, call.call_id, recording_id, [8000])


def test_a_recording_is_deleted_with_all_of_its_audio_once_it_is_over(recorded):
    call = change(recorded, active(recorded), "start")
    recording_id = stored(recorded, call, 2)
    with pytest.raises(recordings.RecordingNotOver):
        recordings.delete(recorded.deps, call.account_id, recording_id)
    change(recorded, call, "stop")
    compose.compose(recorded.deps, recording_id)
    recordings.delete(recorded.deps, call.account_id, recording_id)
    assert not objects_of(recorded.deps).kept
    with pytest.raises(recordings.UnknownRecording):
        recordings.get(recorded.deps, call.account_id, recording_id)


def test_nobody_sees_or_deletes_the_recordings_of_another_account(recorded):
    call, recording_id = finished(recorded)
    other, _ = recorded.new_account()
    with pytest.raises(UnknownCall):
        recordings.of_call(recorded.deps, other, call.call_id)
    for act in (recordings.get, recordings.delete):
        with pytest.raises(recordings.UnknownRecording):
            act(recorded.deps, other, recording_id)
    with pytest.raises(UnknownCall):
        recordings.change(recorded.deps, other, call.call_id, "start", "none")
    assert objects_of(recorded.deps).kept


def test_items_of_recordings_expire_as_their_files_do(recorded, table):
    call, recording_id = finished(recorded)
    item = table.get(f"CALL#{call.call_id}", "RECORDING#01")
    assert item["expires_at"] == recorded.clock() // 1000 + 30 * DAY_S
    assert "live" not in item
    recording = recorded.deps.stores.recordings.get(recording_id)
    assert recording.deleted_at == recorded.clock() + 30 * DAY_S * 1000


def test_python_reads_no_mulaw_so_the_head_is_checked_by_its_chunks():
    head = header(8000)
    assert head[:4] == b"RIFF"
    assert head[8:16] == b"WAVEfmt "
    assert int.from_bytes(head[4:8], "little") == len(head) - 8 + 16_000
    assert wave.WAVE_FORMAT_PCM != 7 == int.from_bytes(head[20:22], "little")
