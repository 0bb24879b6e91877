"""A stack whose parts are stopped and started one by one, as a deployment does, with calls up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.softphone import wav
from local import environment, processes
from local.agent import Talk
from local.layout import HOST, ROOT
from local.stack import Stack
from tests.support.running import Conversation, Live

PARTS: dict[str, tuple[str, Callable[..., dict[str, str]]]] = {
    "api": ("local.api_server", environment.api_server),
    "relay": ("relay", environment.relay),
    "gateway": ("gateway", environment.gateway),
}


def on(stack: Stack) -> Live:
    """Return the stack in the form that phones and agents use."""
    return Live(json.loads(stack.layout.stack_file.read_text()))


_KEEPER = ThreadPoolExecutor(1)
"""A thread that starts processes: processes end with the thread that started them, and the threads
of an event loop end with the loop."""


async def keeping(work: Callable[..., None], *arguments: object) -> None:
    """Run `work`, which starts processes, so that they outlive the event loop."""
    await asyncio.get_running_loop().run_in_executor(_KEEPER, lambda: work(*arguments))


async def roll(stack: Stack, name: str, **changed: str) -> None:
    """Stop a part, and start it with the settings that the stack has now, or with others."""
    await keeping(_roll, stack, name, changed)


def _roll(stack: Stack, name: str, changed: dict[str, str]) -> None:
    module, settings = PARTS[name]
    place = next(i for i, part in enumerate(stack.parts) if part.name == name)
    assert processes.stop([stack.parts[place]]) == []
    env = settings(stack.layout, stack.credentials) | changed
    logs = stack.layout.state_dir / "logs"
    stack.parts[place] = processes.start(name, module, env, logs)
    port = stack.layout.ports[name]
    processes.wait_until_up(stack.parts[place], f"http://{HOST}:{port}/healthz")


def spoken(seconds: float = 1.0) -> bytes:
    """Return sound to play, as mu-law."""
    return wav.read(Path(ROOT) / "examples" / "audio" / "goodbye.wav")[: int(seconds * 8000)]


async def hears_each_other(talking: Conversation) -> None:
    """Have the agent reconnect with the token that it has; check that both sides hear each
    other."""
    talking.talk = Talk(talking.talk.audio)
    talking.running = asyncio.create_task(talking.talk.run(spoken()))
    await asyncio.wait_for(talking.talk.started.wait(), 10)
    received = len(talking.talk.heard)
    await asyncio.wait_for(talking.talk.played.wait(), 10)
    await talking.call.wait_frames(len(talking.call.received) + 25)
    assert not talking.call.ended.is_set()
    assert len(talking.talk.heard) > received
