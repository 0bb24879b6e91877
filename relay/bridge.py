"""The bridge of one call: what passes between the provider's stream and the agent's socket.

Sans I/O: it is fed with audio, messages, joining and leaving legs, the application's answers and
the time (`now`, seconds on any monotonic clock), and acts on the ports it was given: two legs and
a `Port`. It opens no socket, awaits nothing, reads no clock, and never decides the call's state:
it reports what happened and obeys the state that comes back.

Every wait is a deadline named for the report it leads to:

    watch         how is the call? 0.25, 0.5, 1, 1, ... s after the stream was lost, every second
                  while there is none yet; now and then while there is one, as the call may have
                  been ended elsewhere without anybody telling us
    no_agent      the stream is up and no agent ever came
    agent_lost    the agent's socket went and did not come back
    media_lost    the stream went and no other came
    max_duration  the call's time is up
    agent_hangup  the agent asked for it: due at once
    drops         no report: audio that was thrown away is to be said to the agent
    dial          no report: the agent is to be dialled
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from relay import dialling
from relay.config import Graces
from relay.deadlines import Deadlines
from relay.drops import Drops
from relay.hearing import Hearing
from relay.metrics import Counters
from relay.ports import LIVE, AgentAddress, AgentLeg, Port, ProviderLeg
from relay.speech import Speech
from relay.talk import Talk
from relay.watch import Watch
from relay.wire import pcm
from relay.wire.agent import AudioFormat, Sids
from relay.wishes import Wishes
from wire import media_stream

RETRY_S = 2.0
OWNED_ELSEWHERE = "another relay holds the call; connect again"


class Bridge:
    """One call. Methods are called in one thread, and never from within one another's ports."""

    agent_audio: Callable[[bytes | memoryview, float], None]
    """(audio, now): binary audio from the agent, any length. Hot path."""
    caller_audio: Callable[[bytes, float], None]
    """(ulaw, now): mu-law from the caller. Hot path."""

    def __init__(
        self,
        port: Port,
        graces: Graces,
        counters: Counters,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self.over = False
        self._port = port
        self._graces = graces
        self._counters = counters
        self._watching = Watch(graces, spread)
        self._call: dict[str, Any] = {}
        self._sids = Sids()
        self._deadlines = Deadlines(port.wake_at)
        self._dialling = dialling.Dialling(self._deadlines, port)
        self._drops = Drops()
        self._speech = Speech(counters, partial(self._drop, "to_caller"))
        self.agent_audio = self._speech.play
        self._hearing = Hearing(counters, partial(self._drop, "to_agent"))
        self.caller_audio = self._hearing.hear
        self._provider: ProviderLeg | None = None
        self._agent: AgentLeg | None = None
        self._begun = False
        self._talk = Talk()
        self._wishes = Wishes(self._speech, self._talk, self._hang_up)

    # The call, as the application sees it

    def update(self, call: dict[str, Any], ends_at: float | None, now: float) -> None:
        """The application says how the call stands; `ends_at` is on the clock of `now`."""
        self._call = call
        if call.get("state") not in LIVE:
            self._finish()
        elif ends_at is None:
            self._deadlines.drop("max_duration")
        else:
            self._deadlines.set("max_duration", ends_at if ends_at > now else now + RETRY_S)

    def known_as(self, sids: Sids) -> None:
        """What agents of Twilio's dialect are told that account and call are called."""
        self._sids = sids

    def agent_at(self, agent: AgentAddress | None) -> None:
        """Where the agent is to be dialled, as the application says now; None: it is not."""
        self._dialling.learn(agent)

    def answered(self, kind: str, call: dict[str, Any], ends_at: float | None, now: float) -> None:
        """The answer to a report."""
        if self.over:
            return
        asked = self._deadlines.asked(kind)
        self._watching.heard()
        self.update(call, ends_at, now)
        if self.over or not asked:
            return
        if kind == "watch":
            self._watch(now)
        elif kind == "agent_hangup":
            self._deadlines.drop(kind)
            self._talk.refuse("not_active", f"the call is {call.get('state')}")
        elif kind != "max_duration":
            self._deadlines.set(kind, now + RETRY_S)

    def unanswered(self, kind: str, now: float) -> None:
        """A report got no answer. Live audio goes on; the report is tried again."""
        if self.over or not self._deadlines.asked(kind):
            return
        if self._watching.silent(now, streaming=self._provider is not None):
            self.shut(1013, "the application cannot be reached")
        elif kind == "watch":
            self._watch(now)
        else:
            self._deadlines.set(kind, now + RETRY_S)

    def tick(self, now: float) -> None:
        """Do what has come due."""
        for name in self._deadlines.due(now):
            if name == "drops":
                self._deadlines.drop(name)
                self._say_drops(now)
            elif name == dialling.NAME:
                self._dialling.due()
            else:
                lacking = name in ("no_agent", "agent_lost")
                self._port.report(name, self._dialling.why if lacking else "")

    def shut(self, code: int, reason: str) -> None:
        """Close both legs and have the call forgotten here, whatever its state."""
        self.over = True
        self._deadlines.clear()
        agent, provider = self._agent, self._provider
        self._agent = self._provider = None
        self._hearing.turn_away()
        self._talk.turn_to(None)
        self._speech.end()
        if agent is not None:
            agent.close(code, reason)
        if provider is not None:
            provider.close(code, reason)
        self._port.forget()

    def give_away(self, relay_url: str | None) -> None:
        """Another relay has the caller's stream: the agent is led there, if it is known where."""
        agent = self._agent
        if agent is not None and relay_url and agent.lead(relay_url):
            self._agent = None
        self.shut(1013, OWNED_ELSEWHERE)

    def _watch(self, now: float) -> None:
        wait = self._watching.wait(streaming=self._provider is not None)
        self._deadlines.set("watch", now + wait)

    def _finish(self) -> None:
        if self.over:
            return
        self._talk.stop(self._call.get("end_reason"), str(self._call.get("state")))
        self.shut(1000, "the call is over")

    # The provider's leg

    def provider_started(
        self, leg: ProviderLeg, stream_sid: str, now: float, *, keys: bool = False
    ) -> bool:
        """A provider's stream has begun; it replaces an older one. False if it is the older.

        `keys`: the provider takes keys as messages and need not be sent their sound.
        """
        old = self._provider
        if old is not None and old.order > leg.order:
            leg.close(1000, "a newer stream is here")
            return False
        self._provider = leg
        if old is not None:
            old.close(1000, "replaced by a newer stream")
        self._talk.unplayed(self._speech.begin(leg, stream_sid, keys=keys))
        self._hearing.anew()
        self._deadlines.drop("media_lost")
        self._watch(now)
        if self._agent is not None:
            self._begin(now)
        elif "agent_lost" not in self._deadlines:
            self._deadlines.set("no_agent", now + self._graces.agent_first)
        self._dial_if_lacking(now)
        return True

    def provider_gone(self, leg: ProviderLeg, now: float) -> None:
        """The stream ended or its socket went: the call may be over, or come back."""
        if leg is not self._provider:
            return
        self._talk.unplayed(self._speech.end())
        self._provider = None
        self._watching.lost()
        self._deadlines.drop("no_agent", dialling.NAME)
        self._deadlines.set("media_lost", now + self._graces.provider_back)
        self._watch(now)

    def caller_message(self, message: media_stream.FromProvider) -> None:
        """Anything else that the provider says once its stream has begun."""
        if isinstance(message, media_stream.Dtmf):
            self._talk.dtmf(message.dtmf.digit)
            self._port.pressed(message.dtmf.digit)
        elif isinstance(message, media_stream.Mark):
            name = self._speech.reached(message.mark.name)
            if name is not None:
                self._talk.mark(name, played=True)

    # The agent's leg

    def agent_joined(self, leg: AgentLeg, audio: AudioFormat, now: float) -> bool:
        """An agent's socket was let in; it replaces an older one. False if it is the older, or was
        dialled while another agent came by itself.

        Held until there is a stream.
        """
        if leg.dialled and self._dialling.stood_down:
            leg.close(1000, "another agent has come by itself")
            return False
        old = self._agent
        if old is not None and old.order > leg.order and not old.dialled:
            leg.close(4409, "a newer connection is here")
            return False
        self._agent = leg
        if old is not None:
            old.close(4409, "replaced by a newer connection")
        self._talk.turn_to(leg)
        if leg.dialled:
            self._dialling.joined(now)
        else:
            self._dialling.stand_down()
        if not leg.dialect.resumes:
            self._speech.forget_marks()
        to_agent, to_caller = pcm.transcoders(audio)
        self._hearing.turn_to(to_agent)
        self._speech.hear(leg, audio, to_caller)
        self._deadlines.drop("agent_lost", "no_agent")
        if not self._begun:
            self._drops.forget()
        if self._provider is not None:
            self._begin(now)
        elif "watch" not in self._deadlines:
            self._watch(now)
        return True

    def agent_gone(self, leg: AgentLeg, now: float, *, hung_up: bool = False) -> None:
        """The agent's socket went: hung up, or given time to come back once audio has flowed."""
        if leg is not self._agent:
            return
        self._agent = None
        self._hearing.turn_away()
        self._talk.turn_to(None)
        self._deadlines.drop("drops")
        if hung_up:
            self._dialling.stand_down()
            self._deadlines.set("agent_hangup", now)
        elif self._begun or leg.dialled:
            since = self._dialling.lost(now) if leg.dialled else now
            self._deadlines.set("agent_lost", since + self._graces.agent_back)
            self._dial_if_lacking(now)
        elif "media_lost" not in self._deadlines:
            # The call rings, or its stream is not here yet: nothing of it is left on this relay.
            self.shut(1000, "")

    def agent_unreached(self, why: str, now: float, *, final: bool) -> None:
        """The agent was dialled in vain; `final`: so would be every other attempt."""
        self._dialling.unreached(why)
        if self._agent is not None or self._provider is None:
            return
        if final:
            was_there = "agent_lost" in self._deadlines
            self._deadlines.set("agent_lost" if was_there else "no_agent", now)
        else:
            self._dialling.need(now)

    def agent_early(self, size: int, now: float) -> None:
        """`size` bytes of audio came before the agent's socket was let in."""
        self._speech.skip(size, "no_stream", now)

    def agent_text(self, text: bytes | memoryview, now: float) -> None:
        """A JSON message from the agent."""
        if self._agent is not None:
            self._wishes.heed(self._agent, text, now, started=self._hearing.listener is not None)

    def _hang_up(self, now: float) -> None:
        if "agent_hangup" not in self._deadlines:
            self._deadlines.set("agent_hangup", now)

    def _dial_if_lacking(self, now: float) -> None:
        if self._agent is None and self._provider is not None:
            self._dialling.need(now)

    # Both

    def _begin(self, now: float) -> None:
        """Tell the agent that audio flows, once a socket: a new stream needs no second `start`."""
        if self._agent is not None and self._hearing.listener is None:
            self._talk.start(self._call, self._sids, resumed=self._begun)
            self._begun = True
            self._say_drops(now)
            self._hearing.begin(self._agent)

    def _drop(self, direction: str, why: str, ms: float, now: float) -> None:
        self._counters.dropped[direction, why] += 1
        due = self._drops.add(direction, why, ms, now)
        if self._hearing.listener is None:
            return
        if due <= now:
            self._say_drops(now)
        else:
            self._deadlines.set("drops", due)

    def _say_drops(self, now: float) -> None:
        for direction, why, ms in self._drops.take(now):
            self._talk.dropped(direction, ms, why)
