"""Prints what the relay's own code takes for one frame of audio, as JSON: ns by kind of agent and
direction.

A program of its own, without the rest of the tests: it also runs in a folder with an older relay.
Sockets and the event loop are left out; the least of many short rounds counts, which other programs
on the machine hardly disturb.
"""

from __future__ import annotations

import itertools
import json
import sys
import timeit
from types import SimpleNamespace
from typing import Any

from picows import WSMsgType
from picows.picows import _make_test_ws_frame

sys.path.insert(0, "")  # the folder in which this runs

from common import media_stream
from relay.core.bridge import Bridge
from relay.core.counters import Counters
from relay.core.timeouts import Timeouts
from relay.network import agent_leg, provider_leg, twilio_agent_leg
from relay.network.agent_leg import AgentSocket
from relay.network.provider_leg import ProviderSocket
from relay.network.twilio_agent_leg import TwilioAgentSocket
from relay.protocol.agent import MULAW, AudioFormat, Sids

SID = "MZ" + "1" * 32
ULAW = bytes(range(160))
ROUNDS, FRAMES = 400, 500
TRANSPORT: Any = SimpleNamespace(is_close_frame_sent=False, is_disconnected=False)
AGENTS = {
    "mulaw": MULAW,
    "pcm16": AudioFormat("pcm_s16le", 16000),
    "pcm24": AudioFormat("pcm_s16le", 24000),
    "twilio": MULAW,
}


class Actions:
    """Actions that do nothing."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_options: None


def call(kind: str) -> tuple[ProviderSocket, Any]:
    """Return the two legs of a call that goes on. What they send goes nowhere."""
    counters = Counters()
    bridge = Bridge(Actions(), Timeouts(), counters)  # type: ignore[arg-type]
    calls: Any = SimpleNamespace(counters=counters, timeouts=Timeouts())
    provider = ProviderSocket(calls, "token", "url", "signature")
    if kind == "twilio":
        agent: Any = TwilioAgentSocket(calls, "call_1", "token")
        agent.send_audio = agent._send_media
    else:
        agent = AgentSocket(calls, "call_1", "token", AGENTS[kind])
        agent.send_audio = len
    provider.transport = agent.transport = TRANSPORT
    provider.send_text = agent.send_text = len  # type: ignore[assignment]
    bridge.set_sids(Sids("AC1", "CA1"))
    bridge.update({"state": "active"}, None, 0.0)
    bridge.agent_joined(agent, AGENTS[kind], 0.0)
    bridge.provider_started(provider, SID, 0.0)
    provider.bridge = agent.bridge = bridge
    return provider, agent


def least_ns(leg: Any, frame: Any) -> float:
    """Return the least time that a leg took for a frame. Its clock goes on by almost 20 ms each
    time that it is read, so that what is done every 100 ms has its share.
    """
    clock = itertools.count(1.0, 0.019).__next__
    for module in (provider_leg, agent_leg, twilio_agent_leg):
        module.now = clock  # type: ignore[attr-defined]
    rounds = timeit.repeat(lambda: leg.on_ws_frame(TRANSPORT, frame), number=FRAMES, repeat=ROUNDS)
    return min(rounds) / FRAMES * 1e9


def main() -> None:
    """Measure all kinds of agents."""
    says = media_stream.Outgoing(SID, "AC1", "CA1")
    from_provider = _make_test_ws_frame(WSMsgType.TEXT, says.media(ULAW), True, False)
    figures = {}
    for kind, audio in AGENTS.items():
        provider, agent = call(kind)
        if kind == "twilio":
            text = media_stream.MediaEncoder(agent.dialect.stream_sid)(ULAW)
            frame = _make_test_ws_frame(WSMsgType.TEXT, text, True, False)
        else:
            samples = bytes(itertools.islice(itertools.cycle(ULAW), audio.bytes_per_ms * 20))
            frame = _make_test_ws_frame(WSMsgType.BINARY, samples, True, False)

        figures[kind] = {
            "to_agent": least_ns(provider, from_provider),
            "to_caller": least_ns(agent, frame),
        }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
