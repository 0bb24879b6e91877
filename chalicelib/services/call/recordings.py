"""Begin, pause and end recordings of calls; show and delete them; tell relays where segments go."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.call import Call, recording_begun
from chalicelib.domain.failure import Failure
from chalicelib.domain.recording import (
    FILES,
    Action,
    Announce,
    Recording,
    call_of,
    changed,
)
from chalicelib.services.call.at_the_relay import check_active
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.transition import TooBusy, own_call
from chalicelib.services.dependencies import Dependencies, RecordingStorage
from chalicelib.store.contention import tries
from chalicelib.store.recordings import RecordingMoved

log = logging.getLogger(__name__)

UPLOAD_S = 900
"""Time for which a URL is good to which a relay puts a segment."""
DOWNLOAD_S = 900
"""Time for which a URL is good at which a recording is read."""


class RecordingUnavailable(Failure):
    """This installation has no storage for recordings."""

    code = "recording_unavailable"


class UnknownRecording(Failure, LookupError):
    """There is no such recording of the account."""

    code = "recording_not_found"


class RecordingNotOver(Failure):
    """The recording goes on, or is being composed."""

    code = "recording_not_over"


class RecordingsFull(Failure):
    """The account has recorded as much as it may keep."""

    code = "recordings_full"
    member_names = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class RecordingOver(Failure):
    """A relay asks for a recording that takes no more segments."""

    code = "recording_over"


@dataclass(frozen=True)
class Readable:
    """A recording, and a URL at which its file can be read until then (epoch ms), if it is
    ready.
    """

    recording: Recording
    url: str | None = None
    expires_at: int | None = None


def if_possible(deps: Dependencies, account_id: str, announce: Announce) -> Announce | None:
    """Return how the recording of a new call is announced; None if it cannot be recorded. It goes
    on without: a call is worth more than its recording.
    """
    try:
        check_room(deps, account_id)
    except Failure as why:
        log.error("a call is not recorded: %s", why.code, extra={"account_id": account_id})
        return None
    return announce


def check_room(deps: Dependencies, account_id: str) -> RecordingStorage:
    """Return the storage. Raises RecordingUnavailable, RecordingsFull."""
    storage = _storage(deps)
    kept = deps.stores.recordings.recorded_bytes(account_id, deps.now())
    if kept >= storage.account_bytes:
        raise RecordingsFull(storage.account_bytes)
    return storage


def change(
    deps: Dependencies, account_id: str, call_id: str, action: Action, announce: Announce
) -> Call:
    """Begin, pause, resume or end the recording of an active call; return the call. What is so
    already stays so. Raises UnknownCall, Refused, RecordingRefused, RecordingUnavailable,
    RecordingsFull, TooBusy.
    """
    call = own_call(deps, account_id, call_id)  # before all else: others' calls are not told of
    if action == "start":
        check_room(deps, account_id)
    for _ in tries():
        check_active(call)
        now = max(deps.now(), call.updated_at)
        recordings = changed(call.recordings, call_id, action, announce, now)
        if recordings == call.recordings:
            return call
        after = call.model_copy(update={"recordings": recordings})
        try:
            deps.stores.recordings.change_call(call, after, recording_begun(call, after), now)
        except RecordingMoved:
            call = own_call(deps, account_id, call_id)
            continue
        log.info("recording: %s", action, extra={"call_id": call_id, "account_id": account_id})
        tell_relay(deps, after)
        return after
    raise TooBusy(call_id)


def of_call(deps: Dependencies, account_id: str, call_id: str) -> list[Recording]:
    """Return the recordings of an account's call, in order. Raises UnknownCall."""
    own_call(deps, account_id, call_id)
    return deps.stores.recordings.of_call(call_id)


def get(deps: Dependencies, account_id: str, recording_id: str) -> Readable:
    """Return a recording, with a URL at which it can be read. Raises UnknownRecording."""
    recording = _own(deps, account_id, recording_id)
    if recording.state != "ready":
        return Readable(recording)
    url = _storage(deps).objects.download_url(
        recording.file, DOWNLOAD_S, f"{recording_id}.wav", "audio/wav"
    )
    return Readable(recording, url, deps.now() + DOWNLOAD_S * 1000)


def address_of_files(deps: Dependencies) -> str | None:
    """Return the beginning of the URLs at which files are read; None if there is no storage."""
    return None if deps.recordings is None else deps.recordings.objects.address(FILES)


def delete(deps: Dependencies, account_id: str, recording_id: str) -> None:
    """Delete a recording with all of its audio. Raises UnknownRecording, RecordingNotOver,
    RecordingUnavailable.
    """
    recording = _own(deps, account_id, recording_id)
    if recording.state not in ("ready", "failed"):
        raise RecordingNotOver(recording_id)
    objects = _storage(deps).objects
    # The audio goes first: an item without it can be deleted again, but not the other way round.
    objects.delete([recording.file, *(key for key, _ in objects.sizes(recording.segments))])
    try:
        deps.stores.recordings.delete(recording, deps.now())
    except RecordingMoved:
        raise UnknownRecording(recording_id) from None


def upload_urls(
    deps: Dependencies, call_id: str, recording_id: str, starts_ms: Sequence[int]
) -> dict[int, str]:
    """Return the URLs to which a relay puts the segments that begin at these times. Raises
    UnknownRecording, RecordingOver, RecordingUnavailable.
    """
    recording = _of(deps, call_id, recording_id)
    if recording.state not in ("recording", "stopped"):
        raise RecordingOver(recording_id)
    objects = _storage(deps).objects
    return {each: objects.upload_url(recording.segment(each), UPLOAD_S) for each in starts_ms}


def uploaded(deps: Dependencies, call_id: str, recording_id: str) -> None:
    """Note that a relay has stored what it had of a recording, which is composed now if it has
    ended. Raises UnknownRecording, RecordingUnavailable.
    """
    recording = _of(deps, call_id, recording_id)
    if recording.state == "stopped":
        _storage(deps).composer.start(recording_id)


def _storage(deps: Dependencies) -> RecordingStorage:
    if deps.recordings is None:
        raise RecordingUnavailable
    return deps.recordings


def _own(deps: Dependencies, account_id: str, recording_id: str) -> Recording:
    recording = deps.stores.recordings.get(recording_id)
    if recording is None or recording.account_id != account_id:
        raise UnknownRecording(recording_id)
    return recording


def _of(deps: Dependencies, call_id: str, recording_id: str) -> Recording:
    found = call_of(recording_id)
    recording = deps.stores.recordings.get(recording_id) if found else None
    if recording is None or recording.call_id != call_id:
        raise UnknownRecording(recording_id)
    return recording
