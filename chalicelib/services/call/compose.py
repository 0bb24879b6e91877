"""Compose a recording: its segments become one file, then they are deleted.

It can be done at any time and by several at once: one claims the recording. A function that dies
in the middle leaves its claim, and after that the sweep starts another.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from chalicelib.domain.composition import SILENCE, Composition, Piece, Stored, header, plan
from chalicelib.domain.recording import MAX_TRIES, Recording, ended_event
from chalicelib.services.dependencies import Dependencies, RecordingStorage
from chalicelib.store.objects import ObjectStore
from chalicelib.store.recordings import CLAIM_MS, RecordingMoved

log = logging.getLogger(__name__)

READERS = 8
"""Segments that are read at a time; twice as many are in memory."""
SWEPT = 100
"""Recordings that a sweep has composed."""
_RETRY_MS = 60_000
_SILENCE_PIECE = 64_000


def compose(deps: Dependencies, recording_id: str) -> str:
    """Compose a recording that has ended; return its state afterwards, or `alone` if another is at
    it or nothing is left to do.
    """
    storage, recording = deps.recordings, deps.stores.recordings.get(recording_id)
    now = deps.now()
    if storage is None or recording is None or not _to_do(recording, now):
        return "alone"
    claimed = recording.model_copy(
        update={"state": "composing", "tries": recording.tries + 1, "due": now + CLAIM_MS}
    )
    try:
        deps.stores.recordings.change(recording, claimed)
    except RecordingMoved:
        return "alone"
    try:
        return _finish(deps, storage, claimed, _written(storage, claimed))
    except RecordingMoved:
        return "alone"
    except Exception:
        log.exception("recording not composed", extra={"call_id": recording.call_id})
    try:
        return _put_off(deps, storage, claimed)
    except RecordingMoved:
        return "alone"  # it is ready, and its segments were not deleted; or another is at it


def start_due(deps: Dependencies) -> int:
    """Start the composition of recordings whose relay has not told that it is done, or whose
    composition was lost; return how many.
    """
    if deps.recordings is None:
        return 0
    due = deps.stores.recordings.due(deps.now(), SWEPT)
    for each in due:
        deps.recordings.composer.start(each.recording_id)
    return len(due)


def _to_do(recording: Recording, now: int) -> bool:
    """Return whether a recording has ended and nobody composes it. A claim that is not over may be
    that of a function at work.
    """
    claimed = recording.state == "composing" and recording.due is not None and recording.due > now
    return recording.state in ("stopped", "composing") and not claimed


def _written(storage: RecordingStorage, recording: Recording) -> Composition | None:
    """Write the file, and return what it has; None if no relay has stored anything."""
    segments = [
        Stored(key, int(start), size)
        for key, size in storage.objects.sizes(recording.segments)
        if (start := key.removeprefix(recording.segments)).isdecimal()
    ]
    length = (recording.stopped_at or recording.started_at) - recording.started_at
    composition = plan(segments, length)
    if not composition.pieces:
        return None
    storage.objects.write(recording.file, _file(storage.objects, composition))
    return composition


def _finish(
    deps: Dependencies,
    storage: RecordingStorage,
    recording: Recording,
    composition: Composition | None,
) -> str:
    now = deps.now()
    over: dict[str, Any] = {"due": None, "deleted_at": now + storage.kept_ms}
    if composition is None:
        over |= {"state": "failed", "why": "no_audio"}
    else:
        over |= {
            "state": "ready",
            "duration_ms": composition.duration_ms,
            "bytes": composition.size,
            "gaps": composition.gaps,
            "lost_ms": composition.lost_ms,
        }
    after = recording.model_copy(update=over)
    deps.stores.recordings.change(recording, after, ended_event(after, now))
    facts = {"call_id": recording.call_id, "account_id": recording.account_id}
    log.info("recording %s", after.state, extra=facts)
    # Those that are left after a failure here expire by the bucket's own rule.
    storage.objects.delete([key for key, _ in storage.objects.sizes(recording.segments)])
    return after.state


def _put_off(deps: Dependencies, storage: RecordingStorage, recording: Recording) -> str:
    """Have a recording composed later, or give it up after the last try. Its segments stay until
    the bucket's rule deletes them.
    """
    now = deps.now()
    if recording.tries < MAX_TRIES:
        later = now + _RETRY_MS * 2**recording.tries
        deps.stores.recordings.change(
            recording, recording.model_copy(update={"state": "stopped", "due": later})
        )
        return "stopped"
    failed = {
        "state": "failed",
        "why": "not_composed",
        "due": None,
        "deleted_at": now + storage.kept_ms,
    }
    after = recording.model_copy(update=failed)
    deps.stores.recordings.change(recording, after, ended_event(after, now))
    return "failed"


def _file(objects: ObjectStore, composition: Composition) -> Iterator[bytes]:
    """Yield the bytes of the file. A few segments are read ahead of the one that is written."""
    yield header(composition.samples)
    ahead: deque[tuple[Piece, Future[bytes] | None]] = deque()
    with ThreadPoolExecutor(READERS) as readers:
        for piece in composition.pieces:
            read = None if piece.key is None else readers.submit(objects.read, piece.key)
            ahead.append((piece, read))
            if len(ahead) >= 2 * READERS:
                yield from _content(*ahead.popleft())
        while ahead:
            yield from _content(*ahead.popleft())


def _content(piece: Piece, read: Future[bytes] | None) -> Iterator[bytes]:
    if read is None:
        for at in range(0, piece.size, _SILENCE_PIECE):
            yield SILENCE * min(_SILENCE_PIECE, piece.size - at)
        return
    content = read.result()[piece.skip : piece.skip + piece.size]
    # The header says how long the file is.
    yield content + SILENCE * (piece.size - len(content))
