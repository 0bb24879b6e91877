"""The leg of a called party, dialled through a trunk."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.calls.leg import Release
from gateway.legs.sip.leg import SipLeg
from gateway.legs.sip.stack import SipStack
from gateway.rtp.ports import NoPortError
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import Ended, Established, Event, Progress
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, escape_user

if TYPE_CHECKING:
    from gateway.legs.sip.trunk_line import TrunkLine

_FORBIDDEN, _NOT_REACHED = 403, 503
Follow = Callable[[Call, SipLeg], None]

_USER = re.compile(r"[A-Za-z0-9+*#._~!-]{1,64}", re.ASCII)
"""Matches the characters that need no escape before the @ of a From (RFC 3261 25.1)."""


class DialledLeg(SipLeg):
    """A call that we make. `ring` sends the INVITE."""

    def __init__(
        self, stack: SipStack, line: TrunkLine, to: str, caller_id: str, follow: Follow
    ) -> None:
        """`follow` is told each call that the leg makes, so that its events reach the leg."""
        super().__init__(stack, line.trunk.trunk_id)
        self._follow = follow
        self._line = line
        self._to = to
        self._caller_id = caller_id
        self._by_account = line.dials_by_account
        """True if From holds the account instead of the caller ID."""

    def ring(self) -> None:
        """Send the INVITE."""
        if not _USER.fullmatch(self._caller_id):
            self._fail(f"no caller ID that SIP can carry: {self._caller_id[:64]}")
        else:
            self._dial()

    async def answer(self) -> None:
        """Do nothing: the called party answers."""

    def reject(self, release: Release) -> None:
        """Hang up."""
        self.hangup(release)

    def happened(self, event: Event) -> None:
        """Handle an event; dial once more if the carrier wants its account in From."""
        if isinstance(event, Progress) and self._by_account:
            self._line.dials_by_account = True
        if isinstance(event, Ended) and event.status == _FORBIDDEN and self._dial_by_account():
            return
        super().happened(event)
        if isinstance(event, Established) and self._events is not None and not self._over:
            self._events.on_answered()

    def _dial(self) -> None:
        line, trunk = self._line, self._line.trunk
        if line.flow is None:
            self._fail("the trunk has no connection to its carrier")
            return
        try:
            audio = self._audio or self._open_audio(
                "offered" if trunk.transport == "tls" else "off"
            )
        except NoPortError as error:
            self._fail(str(error))
            return
        user = escape_user(trunk.username if self._by_account else self._caller_id)
        to = SipUri(line.domain, escape_user(self._to))
        dial = Dial(
            target=str(to),
            to=Address(to),
            from_=Address(SipUri(line.domain, user)),
            flow=line.flow,
            user=user,
            routes=line.routes,
            headers=(
                ("P-Asserted-Identity", f"<{SipUri(line.domain, escape_user(self._caller_id))}>"),
                ("X-Call-Sid", self._call_sid),
            ),
        )
        try:
            self.call = self._stack.agent.dial(dial, audio.media, self._stack.now, line.authoriser)
        except RuntimeError as error:
            self._fail(str(error))
            return
        self._follow(self.call, self)
        self._stack.flush()

    def _dial_by_account(self) -> bool:
        """Dial once more with the account in From; return False if that was done already.

        Carriers that accept only the account in From answer 403. The second INVITE has the number
        in P-Asserted-Identity alone (RFC 3325).
        """
        if self._over or self._by_account or self._caller_id == self._line.trunk.username:
            return False
        if self._audio is not None:
            self._audio.media.rollback()
        self._by_account = True
        self._dial()
        return True

    def _fail(self, reason: str) -> None:
        self._close()
        if self._events is not None:
            self._events.on_hangup(_NOT_REACHED, reason)
