"""The store for a dialled call's events that come before its call object exists.

The binding makes that object only when its command has come back to the event loop. A far end that
answers at once is faster, and its events would be lost. They are kept here.
"""

from __future__ import annotations

from collections import OrderedDict

from baresip import Call, Event, Runtime, StackEvent

CALLS, EVENTS = 256, 16
"""Limits: calls without a call object, and events of each."""


class EarlyEvents:
    """Events of calls that have no call object yet."""

    def __init__(self, runtime: Runtime) -> None:
        self._taken: set[int] = set()
        self._events: OrderedDict[int, list[StackEvent]] = OrderedDict()
        runtime.subscribe(self._note)

    def take(self, call: Call) -> list[StackEvent]:
        """Mark a call as having its call object; return its events until now."""
        self._taken.add(call.handle)
        return self._events.pop(call.handle, [])

    def _note(self, event: StackEvent) -> None:
        if event.call in self._taken:
            if event.event is Event.CALL_CLOSED:
                self._taken.discard(event.call)
        elif event.call:
            events = self._events.setdefault(event.call, [])
            if len(events) < EVENTS:
                events.append(event)
            while len(self._events) > CALLS:
                self._events.popitem(last=False)
