"""Keeps one address registered: REGISTER, its refreshes and its end (RFC 3261 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.sip.context import ALLOW, Context
from gateway.sip.errors import SipSyntaxError
from gateway.sip.events import NotRegistered, Registered, Unregistered
from gateway.sip.exchange import Authoriser, Exchange
from gateway.sip.syntax.headers import Address, parse_seconds
from gateway.sip.syntax.message import Request, Response
from gateway.sip.syntax.uri import SipUri
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import Failure

_BEFORE_END = 30.0
"""Seconds before its end at which a registration is refreshed, or half of a short one."""
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 1800.0
ANSWER_WITHIN = 8.0
"""Seconds in which a working registrar has answered, four repetitions included."""
_MAX_EXPIRES = 86_400
_TOO_BRIEF = 423
_SHORTEST = 0.5
"""Seconds between two refreshes, however little a registrar grants."""
_MAX_LONGER = 3
"""Times in a row that we ask again for longer."""
_NOTHING_GRANTED = "the registration was granted for 0 seconds, so there is none"


class Pause(Protocol):
    """The seconds until the next try after so many failures in a row, from 1."""

    def __call__(self, failures: int, status: int | None, share: float, /) -> float:
        """Return the seconds until the next try.

        `status` is None if nobody answered; `share`, from 0 to 1, spreads the tries.
        """


def pause_after(failures: int, status: int | None, share: float) -> float:  # noqa: ARG001
    """Return 15 to 30 s, doubled with each failure up to half an hour (RFC 5626 4.5)."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE)
    return longest * (0.5 + share / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """A registration to be kept: where, and as what."""

    uri: str
    """The request URI: the registrar's domain."""
    aor: str
    """The address of record, which is registered."""
    flow: Flow
    user: str
    """The user part of our Contact: a word that only the registrar learns."""
    expires: int = 600
    """Seconds to ask for."""
    routes: tuple[str, ...] = ()
    pause: Pause = pause_after
    """Returns the seconds until the next try."""


class Registration:
    """One address at one registrar. It tries again by itself until it is ended."""

    def __init__(
        self, context: Context, registrar: Registrar, authoriser: Authoriser | None
    ) -> None:
        self.registrar = registrar
        self.flow = registrar.flow
        self.routes = registrar.routes
        """The routes of the next REGISTER."""
        self._context = context
        self._authoriser = authoriser
        self._call_id = context.words.call_id(context.host_of(self.flow))
        self._tag = context.words.tag()
        self._cseq = 0
        self._asked = registrar.expires
        self._failures = 0
        self._longer = 0
        self._ending = self._ended = False
        self._registered = False
        """True if the registrar may hold our contact."""
        self._exchange: Exchange | None = None
        """The last REGISTER until it has its final response."""
        self._tries = 0
        self._answered = False
        """True if the last try has had its answer, or was given up."""

    def start(self, now: float) -> None:
        """Register now."""
        self._send(self._asked, now)

    def end(self, now: float) -> None:
        """Remove the registration; `Unregistered` follows, whether the registrar answers or not.

        Where nothing was registered nothing is asked for: carriers count wrong passwords.
        """
        self._ending = True
        self._context.timers.stop(self)
        if self._exchange is not None:
            self._exchange.wanted = False
        if self._registered:
            self._send(0, now)
        else:
            self._tell_end()

    def stop(self) -> None:
        """Forget the registration without a word to the registrar."""
        self._ending = True
        self._exchange = None
        self._context.timers.stop(self)

    def rest(self) -> None:
        """Do not try again after a failure until `move` is called."""
        self._context.timers.stop(self)

    def move(self, flow: Flow, now: float) -> None:
        """Register by another flow at once: the one before broke, or another server is tried."""
        self.flow = flow
        self._context.timers.stop(self)
        if not self._ending:
            self._send(self._asked, now)

    def on_timer(self, name: str, now: float) -> None:
        """Refresh, try again, or tell that nobody answers, long before the transaction does."""
        if name == "again":
            self._send(self._asked, now)
        elif not self._ending:
            self._fail(None, Failure.TIMEOUT.value, now)

    def _send(self, expires: int, now: float) -> None:
        registrar = self.registrar
        request = Request("REGISTER", registrar.uri)
        for route in self.routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", 70)
        request.headers.add("From", f"<{registrar.aor}>;tag={self._tag}")
        request.headers.add("To", f"<{registrar.aor}>")
        request.headers.add("Call-ID", self._call_id)
        request.headers.add("CSeq", f"{self._next_cseq()} REGISTER")
        request.headers.add("Contact", self._contact)
        request.headers.add("Expires", expires)
        request.headers.add("Allow", ALLOW)
        if self._exchange is not None:
            self._exchange.wanted = False  # an old try must not be signed and sent after this one
        self._tries = number = self._tries + 1
        self._exchange = Exchange(
            context=self._context,
            flow=self.flow,
            request=request,
            authoriser=self._authoriser,
            next_cseq=self._next_cseq,
            on_answer=lambda response, at: self._on_response(number, response, at),
            on_no_answer=lambda failure, at: self._on_failure(number, failure, at),
        )
        self._exchange.start(now)
        self._answered = False
        self._context.timers.start(self, "unanswered", now + ANSWER_WITHIN)

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    @property
    def _contact(self) -> str:
        return self._context.contact(self.flow, self.registrar.user)

    def _on_failure(self, number: int, failure: Failure, now: float) -> None:
        if number != self._tries or self._exchange is None or self._answered:
            return
        if self._ending:
            self._tell_end()
            return
        self._fail(None, failure.value, now)

    def _on_response(self, number: int, response: Response, now: float) -> None:
        exchange = self._exchange
        if number != self._tries or exchange is None or response.status < 200:
            return
        self._exchange = None  # and its messages are freed: thousands of trunks would keep theirs
        self._context.timers.stop(self)
        self._answered = True
        if self._ending:
            if response.status < 300 and exchange.request.headers.get("Expires") != "0":
                self._send(0, now)  # it was under way when the end came
            else:
                self._tell_end()
        elif response.status < 300:
            self._succeed(response, now)
        elif response.status == _TOO_BRIEF and self._ask_longer(response):
            self._send(self._asked, now)
        else:
            self._fail(response.status, response.reason, now, _retry_after(response))

    def _tell_end(self) -> None:
        if not self._ended:
            self._ended = True
            self._context.tell(Unregistered(self))

    def _ask_longer(self, response: Response) -> bool:
        """Take the Min-Expires of a 423. Return False if it names none that helps."""
        needed = _seconds(response.headers.get("Min-Expires"))
        self._longer += 1
        if needed is None or not self._asked < needed <= _MAX_EXPIRES:
            return False
        if self._longer > _MAX_LONGER:
            return False
        self._asked = needed
        return True

    def _succeed(self, response: Response, now: float) -> None:
        granted = self._granted(response)
        if granted == 0:
            self._fail(response.status, _NOTHING_GRANTED, now)
            return
        self._failures = self._longer = 0
        self._registered = True
        wait = max(granted - _BEFORE_END, granted / 2, _SHORTEST)
        # Spread, so that many that began together do not come back together.
        self._context.timers.start(
            self, "again", now + self._context.words.between(0.9 * wait, wait)
        )
        self._context.tell(Registered(self, granted))

    def _granted(self, response: Response) -> int:
        """Return the seconds for our contact, at most what was asked for (10.2.4).

        Registrars return all contacts of the account, some of them ours from before a restart. Only
        a 0 at our contact itself means that it is not registered.
        """
        seconds = _seconds(response.headers.get("Expires"))
        for value in response.headers.values("Contact"):
            try:
                contact = Address.parse(value)
            except SipSyntaxError:
                continue
            if isinstance(contact.uri, SipUri) and contact.uri.user == self.registrar.user:
                own = _seconds(contact.params.text("expires"))
                if own == 0:
                    return 0
                seconds = own if own is not None else seconds
        return min(seconds or self._asked, self._asked)

    def _fail(self, status: int | None, reason: str, now: float, retry_after: float = 0.0) -> None:
        self._failures += 1
        self._answered = True
        share = self._context.words.between(0, 1)
        pause = max(self.registrar.pause(self._failures, status, share), retry_after)
        self._context.timers.stop(self)
        self._context.timers.start(self, "again", now + pause)
        self._context.tell(NotRegistered(self, status, reason, pause))


def _retry_after(response: Response) -> float:
    return float(min(_seconds(response.headers.get("Retry-After")) or 0, _LONGEST_PAUSE))


def _seconds(text: str) -> int | None:
    try:
        return parse_seconds(text)
    except SipSyntaxError:
        return None
