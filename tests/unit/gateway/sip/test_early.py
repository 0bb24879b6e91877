"""Tests of the bounds of events and audio that are kept for a call or a child that does not take
them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import types

from baresip import Event
from gateway.legs.sip.child.early import CALLS, EVENTS, EarlyEvents
from gateway.legs.sip.codec import FRAME

from gateway.legs.sip import link


def event(call):
    return types.SimpleNamespace(event=Event.CALL_RINGING, call=call)


def test_events_of_calls_without_a_leg_are_bounded():
    notes = []
    early = EarlyEvents(types.SimpleNamespace(subscribe=notes.append))
    [note] = notes
    for call in range(1, 3 * CALLS):
        for _ in range(2 * EVENTS):
            note(event(call))
    kept = [early.take(types.SimpleNamespace(handle=call)) for call in range(1, 3 * CALLS)]
    assert sum(map(bool, kept)) == CALLS
    assert max(map(len, kept)) == EVENTS


async def test_audio_for_a_child_that_does_not_read_is_dropped(pool):
    child = pool.children[0]
    child._writer.transport.set_write_buffer_limits(1 << 30)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        for _ in range(200):
            for call in range(100):
                child.play(call, bytes(FRAME))
            await asyncio.sleep(0)
        waiting = child._writer.transport.get_write_buffer_size()
        assert waiting <= link.BUFFER_LIMIT + 100 * (FRAME + 4) + 5
    finally:
        os.kill(child.pid, signal.SIGCONT)
