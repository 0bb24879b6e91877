"""The bridge of one call: what passes between the provider's stream and the agent's socket.

It is fed with audio, messages, joining and leaving legs, the application's answers and the time
(`now`, seconds on any monotonic clock), and acts through `interfaces.py`: on two legs and by
`BridgeActions`. It never decides the call's state: it reports what happened and follows the state
that comes back. Every wait is a deadline, named for the report that it leads to (`deadlines.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from common import media_stream
from relay.core.answer_watch import AnswerWatch
from relay.core.call_recording import CallRecording
from relay.core.counters import Counters
from relay.core.current_agent import CurrentAgent
from relay.core.deadlines import (
    AGENT_HANGUP,
    AGENT_LOST,
    ANSWER,
    DIAL,
    DURATION_OVER,
    MEDIA_LOST,
    NO_AGENT,
    PEER,
    SOURCE,
    TELL_DROPPED,
    WATCH,
    Deadlines,
)
from relay.core.door_commands import DoorCommands
from relay.core.interfaces import LIVE, AgentAddress, AgentLeg, BridgeActions, ProviderLeg
from relay.core.key_rate import KeyRate
from relay.core.line import CallLine
from relay.core.missing_agent import MissingAgent
from relay.core.peer import Peer
from relay.core.redial import AgentRedial
from relay.core.status_polling import StatusPolling
from relay.core.timeouts import Timeouts
from relay.protocol.agent import AudioFormat, Sids
from relay.protocol.detection import WantedDetection
from relay.protocol.line import Line
from relay.protocol.recording import WantedRecording

RETRY_S = 2.0
"""Before a report is sent again that got no answer or changed nothing."""
OWNED_ELSEWHERE = "another relay holds the call; connect again"


class Bridge:
    """Join the two legs of a call.

    Call its methods in one thread, and never from an action that it asked for.
    """

    agent_audio: Callable[[bytes | memoryview, float], None]
    """(audio, now): binary audio from the agent, any length. Hot path."""
    caller_audio: Callable[[bytes, float], None]
    """(ulaw, now): mu-law from the caller. Hot path."""

    def __init__(
        self,
        actions: BridgeActions,
        timeouts: Timeouts,
        counters: Counters,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self.over = False
        self._actions = actions
        self._timeouts = timeouts
        self._polling = StatusPolling(timeouts, spread)
        self._call: dict[str, Any] = {}
        self._sids = Sids()
        self._deadlines = Deadlines(actions.wake_at)
        self._redial = AgentRedial(self._deadlines, actions)
        self._keypad = KeyRate(counters)
        self._provider: ProviderLeg | None = None
        self._agent = CurrentAgent(counters, self._deadlines, self._hang_up)
        self._missing = MissingAgent(self._deadlines, timeouts, self._redial)
        self.peer = Peer(self._agent.to_caller, self._deadlines, actions, counters)
        self.line = CallLine(self._agent, self._missing, self.peer, self._deadlines, actions)
        self.quality = self._agent.to_caller.quality
        self.commands = DoorCommands(self._agent, self._redial)
        self.agent_audio = self._agent.to_caller.play
        self._recording = CallRecording(actions, self._agent.to_caller)
        self._answer = AnswerWatch(actions, self._agent, self._deadlines)
        self.caller_audio = self._agent.to_agent.receive

    # The call, as the application sees it

    def update(self, call: dict[str, Any], ends_at: float | None, now: float) -> None:
        """Take the call's status from the application; `ends_at` is on the clock of `now`."""
        self._call = call
        if call.get("state") not in LIVE:
            self._finish()
        elif ends_at is None:
            self._deadlines.cancel(DURATION_OVER)
        else:
            self._deadlines.set(DURATION_OVER, ends_at if ends_at > now else now + RETRY_S)

    def follow_line(self, line: Line | None, now: float) -> None:
        """Connect the caller as the application says: with the agent, on hold, or another call."""
        if not self.over:
            self.line.follow(line, now, state=str(self._call.get("state")))

    def set_sids(self, sids: Sids) -> None:
        """Set the ids of account and call for agents of Twilio's dialect."""
        self._sids = sids

    def set_agent_address(self, agent: AgentAddress | None) -> None:
        """Set the address at which the agent is dialled; None: it is not dialled."""
        self._redial.set_address(agent)

    def set_agent_detail(self, detail: str) -> None:
        """Set the reason why the agent was not reached that the application shows so far."""
        self._redial.set_told(detail)

    def record(self, wanted: WantedRecording | None, began: float, now: float) -> None:
        """Record as the application wants; `began`: when the recording did, on the clock of
        `now`.
        """
        if not self.over:
            self._recording.follow(wanted, began, now)
            self._tap()

    def detect(self, wanted: WantedDetection | None, now: float) -> None:
        """Find out what the application wants to know of the answer; None: nothing more."""
        if not self.over:
            self._answer.follow(wanted, now)
            self._tap()

    def _tap(self) -> None:
        self.caller_audio = self._answer.tap(self._recording.tap(self._agent.to_agent.receive))

    def answered(self, kind: str, call: dict[str, Any], ends_at: float | None, now: float) -> None:
        """Take the answer to a report."""
        if self.over:
            return
        fired = self._deadlines.fired(kind)
        self._polling.answered()
        self.update(call, ends_at, now)
        if self.over or not fired:
            return
        if kind == WATCH:
            self._schedule_watch(now)
        elif kind == AGENT_HANGUP:
            self._deadlines.cancel(kind)
            if not self.line.agent_hung_up(now, str(call.get("state"))):
                self._agent.messages.error("not_active", f"the call is {call.get('state')}")
        elif kind != DURATION_OVER:
            self._deadlines.set(kind, now + RETRY_S)

    def unanswered(self, kind: str, now: float) -> None:
        """Send a report again that got no answer. Live audio goes on."""
        if self.over or not self._deadlines.fired(kind):
            return
        if self._polling.unanswered(now, streaming=self._provider is not None):
            self.close(1013, "the application cannot be reached")
        elif kind == WATCH:
            self._schedule_watch(now)
        else:
            self._deadlines.set(kind, now + RETRY_S)

    def tick(self, now: float) -> None:
        """Carry out what is due."""
        for name in self._deadlines.due(now):
            if name == TELL_DROPPED:
                self._deadlines.cancel(name)
                self._agent.tell_dropped(now)
            elif name == SOURCE:
                self.line.play_on(now)
            elif name == PEER:
                self.peer.connect()
            elif name == DIAL:
                self._redial.dial()
            elif name == ANSWER:
                self._answer.listen(now)
            else:
                agent_missing = name in (NO_AGENT, AGENT_LOST)
                self._actions.report(name, self._redial.failure or None if agent_missing else None)

    def close(self, code: int, reason: str) -> None:
        """Close both legs and have the call forgotten here, whatever its state."""
        self.over = True
        self._deadlines.clear()
        self.commands.end(str(self._call.get("state")))
        agent, provider = self._agent.leg, self._provider
        self._provider = None
        self._agent.detach()
        self._agent.to_caller.end()
        self.peer.leave(code, reason)
        self._recording.end()
        if agent is not None:
            agent.close(code, reason)
        if provider is not None:
            provider.close(code, reason)
        self._actions.forget()

    def hand_over(self, relay_url: str | None) -> None:
        """Close the call here, as another relay has the caller's stream. The agent is piped to that
        relay, if its URL is known.
        """
        agent = self._agent.leg
        if agent is not None and relay_url and agent.pipe_to(relay_url):
            self._agent.leg = None
        self.close(1013, OWNED_ELSEWHERE)

    def _schedule_watch(self, now: float) -> None:
        wait = self._polling.wait(streaming=self._provider is not None)
        self._deadlines.set(WATCH, now + wait)

    def _finish(self) -> None:
        if self.over:
            return
        self._agent.messages.stop(self._call.get("end_reason"), str(self._call.get("state")))
        self.close(1000, "the call is over")

    # The provider's leg

    def provider_started(
        self, leg: ProviderLeg, stream_sid: str, now: float, *, keys: bool = False
    ) -> bool:
        """Attach a provider's stream, which replaces an older one. Return False if it is the older.

        `keys`: the provider takes keys as messages and need not be sent their sound.
        """
        old = self._provider
        if old is not None and old.order > leg.order:
            leg.close(1000, "a newer stream is here")
            return False
        self._provider = leg
        self.quality.stream_began(now)
        if old is not None:
            old.close(1000, "replaced by a newer stream")
        agent = self._agent
        agent.marks_unplayed(agent.to_caller.begin(leg, stream_sid, keys=keys))
        agent.to_agent.reset()
        self._recording.change_stream(now)
        self._deadlines.cancel(MEDIA_LOST)
        self._schedule_watch(now)
        if agent.leg is not None:
            agent.start(self._call, self._sids, now)
        else:
            self._missing.never_came(now)
        self.line.stream_began(now)
        self._dial_if_missing(now)
        return True

    def provider_gone(self, leg: ProviderLeg, now: float) -> None:
        """Detach the stream, which ended or lost its socket: the call is over, or it comes back."""
        if leg is not self._provider:
            return
        self._agent.marks_unplayed(self._agent.to_caller.end())
        self._recording.change_stream(now)
        self._provider = None
        self._polling.stream_lost()
        self._missing.stream_lost()
        self._deadlines.cancel(DIAL)
        self._deadlines.set(MEDIA_LOST, now + self._timeouts.provider_back)
        self._schedule_watch(now)

    def caller_message(self, message: media_stream.FromProvider, now: float) -> None:
        """Handle a message of the provider's other than audio, once its stream has begun."""
        if isinstance(message, media_stream.Dtmf):
            digit = message.dtmf.digit
            if self._keypad.accepts(digit, now):
                self.quality.pressed(now)
                (self.peer.send_key if self.line.bridged else self._agent.pressed)(digit, now)
                self._actions.pressed(digit)
        elif isinstance(message, media_stream.Mark):
            self.quality.mark_came(now)
            self._agent.passed_mark(message.mark.name)

    # The agent's leg

    def agent_joined(self, leg: AgentLeg, audio: AudioFormat, now: float) -> bool:
        """Attach an agent's socket that was admitted, which replaces an older one. It gets no audio
        until there is a stream.

        Return False if it is the older, or was dialled while another agent connected by itself, or
        wants a free call and there is an agent.
        """
        if self.line.turns_away(leg, str(self._call.get("state"))):
            if leg.dialled:
                self._redial.turned_away()
            return False
        if leg.dialled and self._redial.stopped:
            leg.close(1000, "another agent has come by itself")
            return False
        old = self._agent.leg
        if leg.if_free and not leg.dialect.started and (old or self._redial.expects_agent):
            leg.close(4411, "another agent has the call")
            return False
        # One that took a free call gives it back to an agent that was on its way by then.
        if old is not None and old.order > leg.order and not (old.dialled or old.if_free):
            leg.close(4409, "a newer connection is here")
            return False
        if old is not None:
            old.close(4409, "replaced by a newer connection")
        self._agent.attach(leg, audio)
        self.quality.agent_came(now)
        if leg.dialled:
            self._redial.joined(now)
        else:
            self._redial.stop()
        self._missing.found()
        if self._provider is not None:
            self._agent.start(self._call, self._sids, now)
        elif WATCH not in self._deadlines:
            self._schedule_watch(now)
        return True

    def agent_gone(self, leg: AgentLeg, now: float, *, hung_up: bool = False) -> None:
        """Detach the agent's socket. If the agent has not hung up and audio has flowed, it has time
        to come back.
        """
        if leg is not self._agent.leg:
            return
        self._agent.detach()
        if hung_up:
            self._redial.stop()
            self._deadlines.set(AGENT_HANGUP, now)
        elif self._agent.ever_started or leg.dialled:
            since = self._redial.lost(now) if leg.dialled else now
            self._missing.lost(since)
            self._dial_if_missing(now)
        elif MEDIA_LOST not in self._deadlines:
            # The call rings, or its stream is not here yet: nothing of it is left on this relay.
            self.close(1000, "")

    def dial_failed(self, why: str, now: float, *, final: bool) -> None:
        """Note that the agent was dialled in vain; `final`: so would be every other attempt."""
        self._redial.failed(why)
        final = final and not self._redial.has_others
        if self._redial.stopped or self._agent.leg is not None or self._provider is None:
            return
        if final:
            self._missing.give_up(now)
        else:
            self._redial.schedule(now)

    def agent_audio_too_early(self, size: int, now: float) -> None:
        """Drop `size` bytes of audio that came before the agent's socket was admitted."""
        self._agent.to_caller.drop(size, "no_stream", now)

    def agent_text(self, text: bytes | memoryview, now: float) -> None:
        """Handle a JSON message from the agent."""
        self._agent.handle(text, now)

    def _hang_up(self, now: float) -> None:
        if AGENT_HANGUP not in self._deadlines:
            self._deadlines.set(AGENT_HANGUP, now)

    def _dial_if_missing(self, now: float) -> None:
        if self._agent.leg is None and self._provider is not None:
            self._redial.schedule(now)
