"""What the stack says of a call before anybody can listen to it.

The binding makes the object of a dialled call when its command has come back to the event loop; a
far end that answers at once is faster, and what it said went to nobody. It is kept here.
"""

from __future__ import annotations

from collections import OrderedDict

from baresip import Call, Event, Runtime, StackEvent

_CALLS, _EVENTS = 256, 16
"""What is kept at most: calls that nobody has taken, and events of each."""


class EarlyEvents:
    """Events of calls that have not been taken yet."""

    def __init__(self, runtime: Runtime) -> None:
        self._taken: set[int] = set()
        self._events: OrderedDict[int, list[StackEvent]] = OrderedDict()
        runtime.subscribe(self._note)

    def take(self, call: Call) -> list[StackEvent]:
        """From now on the call is listened to; what it has said until now."""
        self._taken.add(call.handle)
        return self._events.pop(call.handle, [])

    def _note(self, event: StackEvent) -> None:
        if event.call in self._taken:
            if event.event is Event.CALL_CLOSED:
                self._taken.discard(event.call)
        elif event.call:
            events = self._events.setdefault(event.call, [])
            if len(events) < _EVENTS:
                events.append(event)
            while len(self._events) > _CALLS:
                self._events.popitem(last=False)
