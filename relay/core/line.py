"""The line of one call: whether its caller is connected with the agent, on hold, or bridged with
the caller of another call. The application decides, and this follows its answers.

What happens to a call, in each mode:

| | `agent` | `hold` | `bridge` |
|---|---|---|---|
| the caller's audio goes to | the agent | nobody | the other call |
| the caller hears | the agent | the source | the other call, silence while it is away |
| the caller's keys go to | the agent | the agent | the other call |
| a new stream begins | the agent is played | the source goes on | the other call is played |
| `provider_gone`: the stream is lost | `media_lost` after 10 s | the same | the same; the way to the other call stays |
| the agent is lost | `agent_lost` after 10 s | kept, dialled again; 10 s run from the end of the hold | the same |
| the agent hangs up, and the call goes on | `error`, `not_active` | the agent is sent `stop`, `transferred`, and closed | the same |
| no agent has come (`NO_AGENT`) | reported after 30 s | 30 s run from the end of the hold | the same |
| a dial fails for good | reported at once | reported at the end of the hold | the same |
| `hand_over`: another relay has the stream | the agent is led there | the same; `held` comes from there | the same; the other call looks for the new relay |
| `close` | both legs are closed | the same | the same, and the way to the other call |
| the application names another mode | | what is queued is cleared, the agent is told `unheld` or another reason | the same; the way is closed |

With `agent: "leave"` the agent is sent `stop`, `transferred`, and closed; none is dialled, one that
connects is turned away likewise, and none is missed.
"""  # noqa: E501

from __future__ import annotations

from relay.core.agent_to_caller import AgentToCaller
from relay.core.current_agent import CurrentAgent
from relay.core.deadlines import SOURCE, Deadlines
from relay.core.interfaces import AgentLeg, BridgeActions
from relay.core.line_source import LineSource
from relay.core.missing_agent import MissingAgent
from relay.core.peer import Peer
from relay.protocol import tones
from relay.protocol.hold_music import MUSIC
from relay.protocol.line import AGENT_TALKS, Line, Source

TRANSFERRED = "transferred"
"""The reason in the `stop` of an agent that has to do with the call no more."""


class CallLine:
    """The line of one call."""

    def __init__(
        self,
        agent: CurrentAgent,
        missing: MissingAgent,
        peer: Peer,
        deadlines: Deadlines,
        actions: BridgeActions,
    ) -> None:
        self.now = AGENT_TALKS
        """The line as the application said last."""
        self._agent, self._missing, self._peer = agent, missing, peer
        self._deadlines, self._actions = deadlines, actions
        self._source = LineSource(agent.to_caller)

    @property
    def bridged(self) -> bool:
        """Return whether the caller is connected with another call's."""
        return self.now.mode == "bridge"

    @property
    def _to_caller(self) -> AgentToCaller:
        return self._agent.to_caller

    def follow(self, line: Line | None, now: float, *, state: str) -> None:
        """Follow what the application says, unless something newer is known. `state` is the
        call's.
        """
        line, before = line or AGENT_TALKS, self.now
        if line.number < before.number:
            return
        if line.number == before.number and before.number > 0:
            # Where the other call is may have changed, nothing else.
            line = _with_way(before, line)
        self.now = line
        if not line.same_audio(before):
            self._switch(line, now)
        if line.mode == "bridge":
            self._peer.expect(line, now)
        self._attend_agent(line, now)
        if line.agent == "leave":
            self._dismiss(state)
        elif before.agent == "leave":
            self._missing.want_again(now, streaming=self._to_caller.streaming)

    def stream_began(self, now: float) -> None:
        """Go on with the source: there is a new stream, which has nothing queued."""
        self._play_source(now)

    def play_on(self, now: float) -> None:
        """Send the source's next piece: its deadline is due."""
        self._deadlines.cancel(SOURCE)
        self._play_source(now)

    def clip_fetched(self, clip_id: str, ulaw: bytes | None, now: float) -> None:
        """Play a clip that was fetched; None: it cannot be had, and music is played instead."""
        source = self.now.source
        if self.now.mode != "hold" or source is None or source.clip_id != clip_id:
            return
        if ulaw is None:
            self._source.choose(MUSIC)
        else:
            self._source.choose(ulaw, loop=source.loop)
        self._play_source(now)

    def agent_hung_up(self, now: float, state: str) -> bool:
        """Let an agent go that has hung up although the application keeps the call. Return False if
        the caller talks to it, so that it has to stay.
        """
        if self.now.mode == "agent":
            return False
        self._missing.hung_up(now)
        self._close_agent(state)
        return True

    def turns_away(self, leg: AgentLeg, state: str) -> bool:
        """Return whether the call shall have no agent, after telling so to one that comes."""
        if self.now.agent != "leave":
            return False
        stop = leg.dialect.stop(TRANSFERRED, state)
        if stop is not None:
            leg.send_text(stop)
        leg.close(1000, "the call was transferred")
        return True

    def _switch(self, line: Line, now: float) -> None:
        """Let the caller hear something else from here on."""
        self._deadlines.cancel(SOURCE)
        self._to_caller.quality.switched(line.mode, now)
        self._agent.marks_unplayed(self._to_caller.clear(now, by_agent=False))
        self._source.choose(b"")
        if line.mode != "bridge":
            self._peer.leave()
        if line.mode == "hold" and line.source is not None:
            self._choose(line.source, now)

    def _choose(self, source: Source, now: float) -> None:
        if source.kind == "silence":
            return
        if source.kind == "clip" and source.clip_id:
            self._actions.fetch_clip(source.clip_id)
            return
        self._source.choose(tones.ringback(source.country) if source.kind == "ringback" else MUSIC)
        self._play_source(now)

    def _play_source(self, now: float) -> None:
        at = self._source.play_on(now)
        if at is not None:
            self._deadlines.set(SOURCE, at)

    def _attend_agent(self, line: Line, now: float) -> None:
        """Have the agent talk or wait, as the line says."""
        if line.mode == "agent":
            self._agent.unhold(now)
        else:
            why = line.why or ("transfer" if line.mode == "bridge" else "hold")
            divert = self._peer.send if line.mode == "bridge" else _to_nobody
            self._agent.hold(why, divert, now)
        if line.mode == "agent" and line.agent != "leave":
            self._missing.resume(now)
        else:
            self._missing.suspend()

    def _dismiss(self, state: str) -> None:
        """Have no agent from now on: the application says so."""
        self._missing.forgo()
        self._close_agent(state)

    def _close_agent(self, state: str) -> None:
        leg = self._agent.leg
        if leg is not None:
            self._agent.messages.stop(TRANSFERRED, state)
            self._agent.detach()
            leg.close(1000, "the call was transferred")


def _with_way(line: Line, newer: Line) -> Line:
    """Return the line with the way to the other call as a newer answer has it."""
    if (line.peer_url, line.peer_token) == (newer.peer_url, newer.peer_token):
        return line
    return newer if newer.same_audio(line) else line


def _to_nobody(_ulaw: bytes, _now: float) -> None:
    pass
