"""The other call of a bridge, as this one sees it: the way there, and what comes from it.

The way is a `PeerLink`: to another bridge of this process, or a socket to or from another relay. It
is looked for until it is there, and again when it is lost. The time is passed in.
"""

from __future__ import annotations

from relay.core.agent_to_caller import AgentToCaller
from relay.core.counters import Counters
from relay.core.deadlines import PEER, WATCH, Deadlines
from relay.core.interfaces import BridgeActions, PeerLink
from relay.core.key_rate import KeyRate
from relay.core.playout_estimate import MAX_MESSAGE
from relay.protocol.line import AGENT_TALKS, Line

RETRY_S = 0.5
"""Before the other call's relay is tried again."""
ASK_EVERY = 3
"""Tries in vain until the application is asked where the other call is by now."""
MAX_AHEAD_S, GOOD_AHEAD_S = 0.4, 0.1
"""Audio of the other call that waits for playout, in seconds: beyond the first it is left out until
the second. A pause of the network would delay all that is said after it."""


class Peer:
    """The other call of one call; there is none until `expect`."""

    def __init__(
        self,
        to_caller: AgentToCaller,
        deadlines: Deadlines,
        actions: BridgeActions,
        counters: Counters,
    ) -> None:
        self._to_caller, self._deadlines = to_caller, deadlines
        self._actions, self._counters = actions, counters
        self._line = AGENT_TALKS
        self._link: PeerLink | None = None
        self._failures = 0
        self._reported = 0
        """The number of the line that was last reported as `bridged`."""
        self._late = False
        """True while audio is left out."""
        self._keypad = KeyRate(counters)

    def expect(self, line: Line, now: float) -> None:
        """Connect to the call that the line names, unless the way there is known."""
        before, self._line = self._line, line
        if before.peer != line.peer:
            self.leave()
            self._line = line
        if self._link is None and (before.peer, before.peer_url) != (line.peer, line.peer_url):
            self._failures = 0
            self._deadlines.set(PEER, now)

    def leave(self, code: int = 1000, reason: str = "the bridge is over") -> None:
        """Have no other call any more."""
        link, self._link, self._line = self._link, None, AGENT_TALKS
        self._deadlines.cancel(PEER)
        if link is not None:
            link.close(code, reason)

    def connect(self) -> None:
        """Look for the way: its deadline is due."""
        self._deadlines.cancel(PEER)
        if self._link is None and self._line.peer is not None:
            self._actions.connect_peer(self._line)

    def expects(self, call_id: str) -> bool:
        """Return whether the caller is to be bridged with that call."""
        return self._line.peer == call_id

    def joined(self, link: PeerLink, call_id: str) -> bool:
        """Take this way to a call, in place of an older one. Return False if it is not wanted."""
        if not self.expects(call_id):
            link.close(1000, "the call is not bridged with this one")
            return False
        old, self._link = self._link, link
        self._failures, self._late = 0, False
        self._deadlines.cancel(PEER)
        if old is not None and old is not link:
            old.close(1000, "replaced by a newer connection")
        return True

    def gone(self, link: PeerLink, now: float) -> None:
        """Look for a new way: this one was lost."""
        if link is not self._link:
            return
        self._link = None
        # The other call may be at another relay by now, which the application knows.
        self._deadlines.set(WATCH, now)
        self._deadlines.set(PEER, now + RETRY_S)

    def unreached(self, now: float) -> None:
        """Look for the way again: it was looked for in vain. Without a URL it is looked for in this
        process only, and the application is asked, as it may have a URL by now.
        """
        if self._link is not None or self._line.peer is None:
            return
        self._failures += 1
        if self._failures % ASK_EVERY == 0:
            self._deadlines.set(WATCH, now)
        self._deadlines.set(PEER, now + RETRY_S)

    def send(self, ulaw: bytes, now: float) -> None:
        """Send the caller's audio to the other call, or to nobody while that is away. Hot path."""
        link = self._link
        if link is None:
            return
        if link.choked:
            self._counters.dropped["to_peer", "slow_peer"] += 1
        else:
            link.send_ulaw(ulaw, now)

    def send_key(self, digit: str, now: float) -> None:
        """Send a key that the caller pressed."""
        if self._link is None or self._link.choked:
            self._counters.dropped["to_peer", "no_peer"] += 1
        else:
            self._link.send_key(digit, now)

    def hear(self, link: PeerLink, ulaw: bytes, now: float) -> None:
        """Play the other call's audio to the caller. Hot path."""
        to_caller = self._to_caller
        if link is not self._link or not to_caller.streaming:
            return
        ahead = to_caller.queued(now)
        if ahead > (GOOD_AHEAD_S if self._late else MAX_AHEAD_S) or len(ulaw) > MAX_MESSAGE:
            self._late = True
            self._counters.dropped["to_caller", "late_peer"] += 1
            return
        self._late = False
        to_caller.play_ulaw(ulaw, now)
        if self._reported != self._line.number:
            self._reported = self._line.number
            self._actions.bridged(self._line.number)

    def press(self, link: PeerLink, digit: str, now: float) -> None:
        """Press a key for the caller of the other call."""
        if link is self._link and self._keypad.accepts(digit, now):
            self._to_caller.press(digit, now)
