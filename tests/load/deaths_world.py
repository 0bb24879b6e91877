"""A stack with two relays behind a balancer, and gates before the application that can be shut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gateway.softphone.phone import Softphone
from local import environment, processes
from local.agent import Rest
from local.layout import HOST
from local.processes import Part
from local.stack import Stack, application_dependencies, temporary_stack
from tests.load.stack import allow_many_calls, say
from tests.support.ports import free_port
from tests.support.rolling import keeping
from tests.support.tcp_proxy import Balancer, Gate

RELAYS = ("relay-a", "relay-b")


class Relays:
    """The relays: each a process that is started again when it was killed."""

    def __init__(self, stack: Stack, control_url: str, ports: dict[str, int]) -> None:
        self.ports = ports
        self._stack, self._control_url = stack, control_url
        self._parts: dict[str, Part] = {}

    def start(self, name: str) -> None:
        """Start a relay, and wait until it serves."""
        port, layout = self.ports[name], self._stack.layout
        env = environment.relay(layout, self._stack.credentials)
        del env["RELAY_ID"]
        env |= {
            "CHAMADE_CONTROL_URL": self._control_url,
            "RELAY_PORT": str(port),
            "RELAY_URL": f"ws://{HOST}:{port}",
            "RELAY_DOOR_PORT": str(port + 1),
            "RELAY_DOOR_URL": f"http://{HOST}:{port + 1}",
        }
        part = self._parts[name] = processes.start(name, "relay", env, layout.state_dir / "logs")
        processes.wait_until_up(part, f"http://{HOST}:{port}/healthz")

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a relay a signal."""
        self._parts[name].process.send_signal(number)

    async def until_dead(self, name: str) -> None:
        """Wait until a relay has ended."""
        await asyncio.to_thread(self._parts[name].process.wait)

    def stop(self) -> None:
        """Stop all relays, also those that hang."""
        for part in self._parts.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(part.process.pid, signal.SIGCONT)
        processes.stop(list(self._parts.values()))

    def by_url(self, url: str | None) -> str | None:
        """Return the relay at this URL for relays."""
        return next((n for n, port in self.ports.items() if url == f"ws://{HOST}:{port}"), None)


class DeathsWorld:
    """The stack, from all sides."""

    def __init__(self, stack: Stack, relays: Relays, to_app: Gate, from_relays: Gate) -> None:
        layout, credentials = stack.layout, stack.credentials
        self.relays = relays
        self.to_app, self.from_relays = to_app, from_relays
        self.rest = Rest(layout.api_url, credentials.api_key)
        self.phone = Softphone(*stack.phone_account)
        self._deps = application_dependencies(layout, credentials)

    async def owner(self, call_id: str) -> str | None:
        """Return the relay that holds a call's media, as the table has it."""
        media = await asyncio.to_thread(self._deps.stores.media.get, call_id)
        return self.relays.by_url(media.relay_url)

    async def events(self, after: str = "") -> list[dict[str, Any]]:
        """Return the account's events, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.rest("GET", "/api/events?limit=100" + after)
            if not page["events"]:
                return found
            found += page["events"]
            after = f"&after={page['cursor']}"


@contextlib.asynccontextmanager
async def world(logs: Path) -> AsyncIterator[DeathsWorld]:
    """Start the stack; inside the block it is up. What its parts said is left in `logs`."""
    async with contextlib.AsyncExitStack() as up:
        folder = up.enter_context(tempfile.TemporaryDirectory(prefix="chamade-deaths-"))
        stack = up.enter_context(temporary_stack(Path(folder) / "state", say))
        up.callback(shutil.copytree, stack.layout.state_dir / "logs", logs, dirs_exist_ok=True)
        allow_many_calls(stack.layout, stack.credentials)
        behind = free_port()
        await keeping(_move_application, stack, behind)
        ports = {name: free_port() for name in RELAYS}
        from_relays = await up.enter_async_context(Gate(behind).listening())
        relays = Relays(stack, f"http://{HOST}:{from_relays.port}", ports)
        up.callback(relays.stop)
        for name in RELAYS:
            await keeping(relays.start, name)
        await up.enter_async_context(
            Balancer(list(ports.values())).listening(stack.layout.ports["relay"])
        )
        to_app = await up.enter_async_context(Gate(behind).listening(stack.layout.ports["api"]))
        yield DeathsWorld(stack, relays, to_app, from_relays)


def _move_application(stack: Stack, port: int) -> None:
    """Start the application at another port, and stop the stack's own relay."""
    layout = stack.layout
    old = [part for part in stack.parts if part.name in ("api", "relay")]
    stack.parts = [part for part in stack.parts if part not in old]
    processes.stop(old)
    env = environment.api_server(layout, stack.credentials) | {"PORT": str(port)}
    part = processes.start("api", "local.api_server", env, layout.state_dir / "logs")
    stack.parts.append(part)
    processes.wait_until_up(part, f"http://{HOST}:{port}/healthz")
