"""The leg of a called party, dialled by one trunk."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.sip_headers import NO_INTRODUCTION, Introduction
from gateway.calls.leg import Release, Route
from gateway.legs.sip import addressing
from gateway.legs.sip.leg import SipLeg
from gateway.legs.sip.stack import SipStack
from gateway.rtp.ports import NoPortError
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import Ended, Established, Event, Progress
from gateway.sip.syntax.headers import Address

if TYPE_CHECKING:
    from gateway.legs.sip.trunk_line import TrunkLine

_FORBIDDEN, _NOT_ACCEPTABLE, _NOT_REACHED = 403, 488, 503
Follow = Callable[[Call, SipLeg], None]

_USER = re.compile(r"[A-Za-z0-9+*#._~!-]{1,64}", re.ASCII)
"""Matches the characters that need no escape before the @ of a From (RFC 3261 25.1)."""


class DialledLeg(SipLeg):
    """A call that we make. `ring` sends the INVITE."""

    def __init__(  # noqa: PLR0913 - what a dial needs
        self,
        stack: SipStack,
        line: TrunkLine,
        route: Route,
        follow: Follow,
        *,
        introduction: Introduction = NO_INTRODUCTION,
        heard_within: float | None = None,
    ) -> None:
        """`follow` is told each call that the leg makes, so that its events reach the leg.

        `heard_within`: seconds after which a carrier that has said nothing is given up.
        """
        super().__init__(stack, line.trunk.trunk_id)
        self._follow = follow
        self._line = line
        self._route = route
        self._introduction = introduction
        self._heard_within = heard_within
        self._by_account = line.dials_by_account
        """True if From holds the account instead of the caller ID."""
        self._plain = line.trunk.srtp == "off"
        """True if no SRTP is offered."""

    def ring(self) -> None:
        """Send the INVITE."""
        if not _USER.fullmatch(self._route.from_):
            self._fail(f"no caller ID that SIP can carry: {self._route.from_[:64]}")
        else:
            self._dial()

    async def answer(self) -> None:
        """Do nothing: the called party answers."""

    def reject(self, release: Release) -> None:
        """Hang up."""
        self.hangup(release)

    def happened(self, event: Event) -> None:
        """Handle an event; dial once more if the carrier wants it otherwise."""
        if isinstance(event, Progress) and self._by_account:
            self._line.dials_by_account = True
        if isinstance(event, Ended) and self._dial_otherwise(event.status):
            return
        super().happened(event)
        if isinstance(event, Established) and self._events is not None and not self._over:
            self._events.on_answered()

    def _dial(self) -> None:
        line = self._line
        if line.flow is None:
            self._fail("the trunk has no connection to its carrier")
            return
        try:
            audio = self._audio or self._open_audio(line.trunk.srtp)
        except NoPortError as error:
            self._fail(str(error))
            return
        told = self._introduction
        parties = addressing.dialled(
            line.trunk, self._route, by_account=self._by_account, name=told.caller_name
        )
        dial = Dial(
            target=str(parties.to),
            to=Address(parties.to),
            from_=Address(parties.from_, told.caller_name),
            flow=line.flow,
            user=parties.from_.user,
            routes=line.routes,
            headers=(*parties.identity, ("X-Call-Sid", self._call_sid), *told.headers.items()),
            heard_within=self._heard_within,
        )
        try:
            self.call = self._stack.agent.dial(dial, audio.media, self._stack.now, line.authoriser)
        except RuntimeError as error:
            self._fail(str(error))
            return
        self._follow(self.call, self)
        self._stack.flush()

    def _dial_otherwise(self, status: int) -> bool:
        """Dial once more, in another way that may help against a refusal; return False if there is
        none.
        """
        if self._over or self._audio is None or self._up.is_set():
            return False
        if status == _FORBIDDEN and self._may_dial_by_account:
            # Carriers that accept only the account in From answer 403. The second INVITE has the
            # number in P-Asserted-Identity alone (RFC 3325).
            self._by_account = True
            self._audio.media.rollback()
        elif status == _NOT_ACCEPTABLE and not self._plain and self._line.trunk.srtp == "offered":
            # FreeSWITCH refuses RTP/AVP with a=crypto.
            self._plain = True
            self._audio.offer_anew("off")
        else:
            return False
        self._dial()
        return True

    @property
    def _may_dial_by_account(self) -> bool:
        trunk = self._line.trunk
        return (
            trunk.caller_id_in == "auto"
            and not self._by_account
            and trunk.username not in (None, self._route.from_)
        )

    def _fail(self, reason: str) -> None:
        self._close()
        if self._events is not None:
            self._events.on_hangup(_NOT_REACHED, reason)
