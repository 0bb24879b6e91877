"""Read a call's transcript, and wait for what is said next."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.failure import Failure
from chalicelib.domain.transcript import MAX_TEXT, PAGE, Entry, Speaker
from chalicelib.services.call.at_the_relay import ask_host
from chalicelib.services.call.say import hosted_call
from chalicelib.services.call.waits import waiting
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.voice_offer import takes_part
from common import voice_requests

log = logging.getLogger(__name__)

_PAUSE_S = 0.5


@dataclass(frozen=True)
class Place:
    """A place in a transcript, behind the sequence `after`, and how many entries are wanted."""

    after: int = 0
    limit: int = PAGE


@dataclass(frozen=True)
class Said:
    """Entries of a transcript, the `after` of the next request, whether the caller speaks just now,
    and the call as it is.
    """

    entries: list[Entry]
    next: int
    speaking: bool
    call: Call


def read(deps: Dependencies, account_id: str, call_id: str, place: Place, wait_s: float) -> Said:
    """Return the entries at a place. If there are none and the call is not over, wait up to
    `wait_s` for what is said next. Raises what `hosted_call` does, and TooManyWaits.

    The voice host is asked for what is said: it knows it before the table does, and the table never
    has what the caller says if the call keeps no transcript.
    """
    call = hosted_call(deps, account_id, call_id)
    entries = deps.stores.transcripts.entries(call_id, place.after, place.limit)
    if entries or call.state.final or (wait_s <= 0 and _kept(call)):
        return _said(call, entries, place)
    with waiting(deps, account_id, wait_s):
        return _listen(deps, call, place, wait_s)


def newest(deps: Dependencies, call: Call, limit: int) -> list[Entry] | None:
    """Return the last entries of a call; None if it is not hosted, or its account may not read."""
    if call.voice != "hosted" or not takes_part(deps, call.account_id):
        return None
    return deps.stores.transcripts.newest(call.call_id, limit)


def delete(deps: Dependencies, account_id: str, call_id: str) -> None:
    """Delete what is kept of a call's transcript; what is said from now on is kept again. Raises
    what `hosted_call` does.
    """
    call = hosted_call(deps, account_id, call_id)
    now, last = deps.now(), deps.stores.transcripts.speech(call_id).last
    # Entries of this moment have the ms since the answer as their sequence (docs/contracts.md).
    up_to = last if call.answered_at is None else max(last, now - call.answered_at)
    count = deps.stores.transcripts.delete(call_id, up_to, now)
    log.info("transcript deleted", extra={"account_id": account_id, "entries": count})


def _listen(deps: Dependencies, call: Call, place: Place, wait_s: float) -> Said:
    until = deps.now() + int(wait_s * 1000)
    if call.state is CallState.ACTIVE:
        # The voice host still knows what was deleted.
        forgotten = deps.stores.transcripts.speech(call.call_id).forgotten
        place = replace(place, after=max(place.after, forgotten))
        listen = voice_requests.Listen(after=place.after, wait_s=wait_s)
        try:
            heard = ask_host(deps, call, listen.METHOD, listen.params(), wait_s)
            return _merged(deps, call, place, heard)
        except Failure as failed:
            log.info("not heard from the voice host: %s", failed.code)
    return _look(deps, call, place, until)


def _merged(deps: Dependencies, call: Call, place: Place, heard: dict[str, Any]) -> Said:
    """Return what the voice host knows and what it has reported, in order. The host's answer has
    all entries of both sides up to its last one, so none is reported later with a number below.
    """
    reported = deps.stores.transcripts.entries(call.call_id, place.after, place.limit)
    found = {entry.sequence: entry for entry in _entries_of(heard) if entry.sequence > place.after}
    found |= {entry.sequence: entry for entry in reported}
    entries = [found[sequence] for sequence in sorted(found)][: place.limit]
    return _said(call, entries, place, speaking=heard.get("speaking") is True)


def _look(deps: Dependencies, call: Call, place: Place, until: int) -> Said:
    """Look into the table for new entries, until `until` or the call's end."""
    while True:
        over = call.state.final or deps.now() >= until
        entries = deps.stores.transcripts.entries(call.call_id, place.after, place.limit)
        if entries or over:
            return _said(call, entries, place)
        deps.pause(min(_PAUSE_S, max(0.0, (until - deps.now()) / 1000)))
        call = deps.stores.calls.get(call.call_id) or call


def _kept(call: Call) -> bool:
    return call.voice_settings is None or call.voice_settings.transcript


def _entries_of(heard: dict[str, Any]) -> list[Entry]:
    """Return the entries of both sides in an answer of a voice host, not sorted."""
    said, uttered = heard.get("said"), heard.get("uttered")
    return [
        *(_entry("caller", each) for each in (said if isinstance(said, list) else [])),
        *(_entry("agent", each) for each in (uttered if isinstance(uttered, list) else [])),
    ]


def _entry(speaker: Speaker, told: dict[str, Any]) -> Entry:
    return Entry(
        sequence=told["sequence"],
        speaker=speaker,
        text=told["text"][:MAX_TEXT],
        started_ms=told["started_ms"],
        ended_ms=told["ended_ms"],
        confidence=told.get("confidence"),
        utterance_id=told.get("utterance_id"),
        interrupted=told.get("interrupted"),
    )


def _said(call: Call, entries: list[Entry], place: Place, *, speaking: bool = False) -> Said:
    return Said(entries, entries[-1].sequence if entries else place.after, speaking, call)
