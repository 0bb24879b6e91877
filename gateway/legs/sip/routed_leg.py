"""The leg of a called party, who may be reached by several trunks."""

from __future__ import annotations

from collections.abc import Callable

from gateway.calls.leg import Leg, LegEvents, Quality, Referable, Release, Route
from gateway.legs.sip.fall_over import FallOver
from gateway.telemetry import logs

Begin = Callable[[Route, bool], Leg | None]
"""Takes a route, and whether another one is left. Returns a leg by it, not ringing yet; None if it
cannot be tried after all."""

_NOT_REACHED = 503


class RoutedLeg:
    """Dials by one route after the other, until the called party rings or none is left.

    Implements `Leg` for the call, and `LegEvents` for the leg of the present route.
    """

    def __init__(
        self, routes: FallOver, begin: Begin, trunk_id: str | None, why_not: Callable[[], str]
    ) -> None:
        """`trunk_id` is the trunk that the call has. `why_not` is asked for the reason if not one
        route can be tried.
        """
        self._routes = routes
        self._begin = begin
        self._why_not = why_not
        self._leg: Leg | None = None
        self._events: LegEvents | None = None
        self._call_sid = ""
        self._trunk_id = trunk_id
        self._over = False

    @property
    def trunk_id(self) -> str | None:
        """Return the trunk that the call goes by."""
        return self._trunk_id

    # Leg.

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Set the receiver of the events."""
        self._events, self._call_sid = events, call_sid

    def ring(self) -> None:
        """Dial by the first route that can be tried."""
        if not self._try_next():
            self.on_hangup(_NOT_REACHED, self._why_not())

    async def answer(self) -> None:
        """Do nothing: the called party answers."""

    def reject(self, release: Release) -> None:
        """Hang up."""
        self.hangup(release)

    def hangup(self, release: Release) -> None:
        """End the call by the present route; no other one is tried."""
        self._over = True
        self._routes.settle()
        if self._leg is not None:
            self._leg.hangup(release)

    def play(self, frame: bytes) -> None:
        """Send a frame to the far end."""
        if self._leg is not None:
            self._leg.play(frame)

    def press(self, digit: str) -> None:
        """Send a key to the far end."""
        if self._leg is not None:
            self._leg.press(digit)

    def refer(self, target: str) -> bool:
        """Ask the far end to call somebody else."""
        return isinstance(self._leg, Referable) and self._leg.refer(target)

    # LegEvents.

    def on_trunk(self, trunk_id: str) -> None:
        """Do nothing: legs of one trunk do not change it."""

    def on_ringing(self) -> None:
        """Stay with the route, and pass it on."""
        self._routes.settle()
        if self._events is not None:
            self._events.on_ringing()

    def on_answered(self) -> None:
        """Stay with the route, and pass it on."""
        self._routes.settle()
        if self._events is not None:
            self._events.on_answered()

    def on_audio(self, frame: bytes) -> None:
        """Pass on a frame."""
        if self._events is not None:
            self._events.on_audio(frame)

    def on_dtmf(self, digit: str) -> None:
        """Pass on a key."""
        if self._events is not None:
            self._events.on_dtmf(digit)

    def on_hold(self, held: bool) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_hold(held)

    def on_refer(self, status: int) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_refer(status)

    def on_quality(self, quality: Quality, mos: float) -> None:
        """Pass it on."""
        if self._events is not None:
            self._events.on_quality(quality, mos)

    def on_media(self, facts: dict[str, str]) -> None:
        """Pass them on."""
        if self._events is not None:
            self._events.on_media(facts)

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """Go on to the next route if this one is the reason, or pass the end on."""
        if self._over:
            return
        if self._routes.goes_on(sip_code) and self._routes.more:
            log = logs.of_call(__name__, self._call_sid)
            facts = {"trunk_id": self._trunk_id, "sip_code": sip_code}
            log.info("the trunk does not place the call: %s", reason, extra=facts)
            if self._try_next():
                return
        self._over = True
        if self._events is not None:
            self._events.on_hangup(sip_code, reason)

    def on_broken(self, reason: str) -> None:
        """Pass the end on."""
        if not self._over and self._events is not None:
            self._over = True
            self._events.on_broken(reason)

    def _try_next(self) -> bool:
        """Dial by the next route; return False if there is none."""
        while (route := self._routes.next()) is not None:
            leg = self._begin(route, self._routes.more)
            if leg is None:
                continue
            self._leg = leg
            if route.trunk_id != self._trunk_id and self._events is not None:
                self._events.on_trunk(route.trunk_id)
            self._trunk_id = route.trunk_id
            leg.attach(self, self._call_sid)
            leg.ring()
            return True
        return False
