"""Session timers: find out that a call is dead though nobody said BYE (RFC 4028)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.events import Side
from gateway.sip.syntax.headers import Valued, parse_seconds
from gateway.sip.syntax.message import Message, Request, Response

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call

MIN_SE = 90
"""The shortest interval that is taken, in seconds (RFC 4028 5)."""
_MAX_SE = 86_400
_TOO_SMALL = 422


class SessionTimer:
    """The session interval of one call, and the side that refreshes it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._timers = call.context.timers
        self.interval = 0
        """Seconds until the session is over if nobody refreshes it; 0: it lasts."""
        self.wanted = 0
        """Seconds that an INVITE of ours asks for; 0: none."""
        self.min_se = MIN_SE
        self.by_us = False
        """True if we refresh."""

    # What is written.

    def write_request(self, request: Request) -> None:
        """Ask for an interval in an INVITE or UPDATE of ours."""
        interval = self.interval or self.wanted
        if not interval:
            return
        refresher = ";refresher=uac" if self.interval and self.by_us else ""
        if self.interval and not self.by_us:
            refresher = ";refresher=uas"
        request.headers.put("Session-Expires", f"{interval}{refresher}")
        request.headers.put("Min-SE", self.min_se)
        request.headers.put("Supported", "timer")

    def _response_headers(self, *, theirs: bool) -> dict[str, object]:
        """Return the fields of a 2xx. `theirs`: the far end, which is the UAC now, refreshes."""
        if not self.interval:
            return {}
        headers: dict[str, object] = {
            "Session-Expires": f"{self.interval};refresher={'uac' if theirs else 'uas'}"
        }
        if theirs:
            headers["Require"] = "timer"
        return headers

    # What is read.

    def check(self, request: Request) -> None:
        """Raise Refusal if the interval that a request asks for is too short."""
        interval, _ = _read(request)
        if 0 < interval < MIN_SE:
            raise Refusal(_TOO_SMALL, "", Min_SE=str(MIN_SE))

    def on_request(self, request: Request, now: float) -> dict[str, object]:
        """Take what an INVITE or UPDATE asks for. Return the fields of the 2xx."""
        interval, refresher = _read(request)
        if self._call.state is CallState.NEW or self._call.state is CallState.EARLY:
            return {}  # the session has not begun
        if not interval:
            self.interval = 0
            self._timers.stop(self)
            return {}
        understands = "timer" in request.headers.tokens("Supported")
        self.interval = min(interval, _MAX_SE)
        self.by_us = refresher == "uas" or not understands
        self._arm(now)
        return self._response_headers(theirs=not self.by_us)

    def on_response(self, response: Response, now: float) -> None:
        """Take what a 2xx to an INVITE or UPDATE of ours says."""
        if self._call.state is not CallState.UP:
            return
        interval, refresher = _read(response)
        # Less than MIN_SE is not what we asked for: it would have us send refreshes without pause.
        self.interval = max(MIN_SE, min(interval, _MAX_SE)) if interval else self.wanted
        # Without the field the far end knows no session timers: we refresh for both.
        self.by_us = refresher != "uas" or not interval
        self._arm(now)

    def on_refused(self, response: Response, now: float) -> None:
        """Take the refusal of a refresh: ask for more if it was too short, else try again."""
        if response.status == _TOO_SMALL:
            self.raise_to(response)
        if self.interval and self.by_us:
            self._timers.start(self, "refresh", now + self.interval / 8)

    def raise_to(self, response: Response) -> bool:
        """Take the Min-SE of a 422. Return False if it names none that helps."""
        try:
            needed = parse_seconds(response.headers.get("Min-SE"))
        except SipSyntaxError:
            return False
        if not max(self.wanted, self.interval) < needed <= _MAX_SE:
            return False
        self.min_se = needed
        self.wanted = max(self.wanted, needed)
        self.interval = max(self.interval, needed) if self.interval else 0
        return True

    # Time.

    def _arm(self, now: float) -> None:
        self._timers.stop(self)
        if not self.interval:
            return
        grace = min(32.0, self.interval / 3)
        self._timers.start(self, "expire", now + self.interval - (0.0 if self.by_us else grace))
        if self.by_us:
            self._timers.start(self, "refresh", now + self.interval / 2)

    def on_timer(self, name: str, now: float) -> None:
        """Refresh the session, or end the call that nobody has refreshed."""
        if name == "expire":
            self._call.bye(now, "the session expired")
            self._call.end(408, "the session expired: the far end is gone", Side.NETWORK)
        elif "update" in self._call.allowed:
            request = self._call.request("UPDATE")
            request.headers.add("Contact", self._call.contact)
            self.write_request(request)
            self._call.send(request, now, self._on_update)
        else:
            self._call.renegotiation.refresh(now)

    def _on_update(self, response: Response, now: float) -> None:
        if 200 <= response.status < 300:
            self._call.established.refresh_target(response)
            self.on_response(response, now)
        elif response.status >= 300 and self._call.state is CallState.UP:
            self.on_refused(response, now)

    def stop(self) -> None:
        """Stop all timers; the call is over."""
        self._timers.stop(self)


def _read(message: Message) -> tuple[int, str]:
    """Return interval and refresher of a Session-Expires; 0 and "" without a usable one."""
    try:
        value = Valued.parse(message.headers.get("Session-Expires"))
        return parse_seconds(value.value), value.params.text("refresher").lower()
    except SipSyntaxError:
        return 0, ""
