"""Brings the stack up, watches it, takes it down."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from chalicelib import bootstrap
from chalicelib.services.ports import Ports
from local import aws, environment, processes, seed
from local.credentials import Credentials, write_private
from local.layout import Layout
from local.processes import Part
from wire.rotation import signing

SWEEP_DELIVERIES_EVERY_S = 30.0

WARM_UP_DEADLINES_AFTER_S = 20.0

LOCK_WAIT_S = 3.0
"""How long a stack that is just being stopped may keep its folder."""


class AlreadyRunning(Exception):
    """Another stack uses this state folder."""


class Stack:
    """The parts of one running stack, in the order they were started."""

    def __init__(self, layout: Layout, credentials: Credentials, lock: int) -> None:
        self.layout, self.credentials, self._lock = layout, credentials, lock
        self.parts: list[Part] = []
        self._stopping = threading.Event()

    def start(self, say: Callable[[str], None]) -> None:
        """Everything, in order. On an error what was started stays in `parts`, to be stopped."""
        layout, credentials = self.layout, self.credentials
        processes.check_ports_free(layout.ports)
        say(f"aws      {layout.aws_url}  (ministack: DynamoDB, Step Functions, Lambda)")
        logs = layout.state_dir / "logs"
        # The engine holds the lock, too: should we be killed, it still has its state to save.
        engine = processes.start(
            "aws", "ministack", environment.ministack(layout), logs, keep_open=(self._lock,)
        )
        self.parts.append(engine)
        processes.wait_until_up(engine, f"{layout.aws_url}/_ministack/health")
        aws.provision(layout, credentials)
        self._seed(say)
        credentials = self.credentials
        # Each is a process that starts beside the rest.
        sweeping = self._beside(aws.warm_up, layout, "sweep")
        self._beside(aws.warm_up, layout, "fan_out_events", "deliver_event")
        say(f"api      {layout.api_url}")
        self._launch("api", "local.api_server", environment.api_server(layout, credentials))
        say(f"relay    {layout.relay_url}")
        self._launch("relay", "relay", environment.relay(layout, credentials))
        say(f"gateway  {layout.gateway_url}  (SIP on port {layout.ports['sip']})")
        self._launch("gateway", "gateway", environment.gateway(layout, credentials))
        http_relay = layout.relay_url.replace("ws://", "http://")
        for part, url in zip(
            self.parts[1:], (layout.api_url, http_relay, layout.gateway_url), strict=True
        ):
            processes.wait_until_up(part, f"{url}/healthz")
        sweeping.join()
        swept = aws.invoke(layout, "sweep", {"restarted": True})
        if any(swept.values()):
            say(f"sweep    {json.dumps(swept)}")
        self._beside(self._sweep_now_and_again)
        self._beside(self._expect_missed_calls)
        self._write_stack_file()

    def stop(self) -> list[str]:
        """All of it. Names of parts that had to be killed."""
        self._stopping.set()
        return processes.stop(self.parts)

    @property
    def phone_account(self) -> tuple[str, str, str]:
        """Gateway URL, account SID and auth token: what a softphone needs."""
        credentials = self.credentials
        return (
            self.layout.gateway_url,
            credentials.provider_account_sid,
            signing(credentials.provider_auth_token),
        )

    def dead_part(self) -> Part | None:
        """A part that has ended, if any."""
        return next((part for part in self.parts if part.dead), None)

    def _launch(self, name: str, module: str, env: dict[str, str]) -> None:
        logs = self.layout.state_dir / "logs"
        self.parts.append(processes.start(name, module, env, logs))

    def _beside(self, doing: Callable[..., None], *given: Any) -> threading.Thread:
        thread = threading.Thread(target=doing, args=given, daemon=True)
        thread.start()
        return thread

    def _expect_missed_calls(self) -> None:
        """Nobody can have missed a call before it has rung for a minute; but then sixty may be
        missed in one moment.
        """
        if not self._stopping.wait(WARM_UP_DEADLINES_AFTER_S):
            aws.warm_up(self.layout, *["expire_ring"] * aws.WORKERS["expire_ring"])

    def _sweep_now_and_again(self) -> None:
        """What a schedule does in AWS."""
        while not self._stopping.wait(SWEEP_DELIVERIES_EVERY_S):
            with contextlib.suppress(Exception):  # the engine is busy, or on its way down
                aws.invoke(self.layout, "sweep", {"calls": False})

    def _seed(self, say: Callable[[str], None]) -> None:
        ports = application_ports(self.layout, self.credentials)
        seed.fill_pool(ports)
        key = self.credentials.api_key
        if not key or not _known(ports, key):
            say(
                "account  a new one, with a key and a number"
                + (" (its key is gone)" if key else "")
            )
            self.credentials = self.credentials.with_api_key(seed.first_account(ports))
            self.credentials.save(self.layout.state_dir)

    def _write_stack_file(self) -> None:
        layout, credentials = self.layout, self.credentials
        ports = application_ports(layout, credentials)
        account_id = _known(ports, credentials.api_key) or ""
        numbers = [line.e164 for line in ports.lines.held_by(account_id)]
        document: dict[str, Any] = {
            "api_url": layout.api_url,
            "api_key": credentials.api_key,
            "dashboard_url": layout.dashboard_url,
            "relay_url": layout.relay_url,
            "gateway_url": layout.gateway_url,
            "sip_uri": layout.sip_uri(numbers[0]) if numbers else None,
            "numbers": numbers,
            "provider_account_sid": credentials.provider_account_sid,
            "provider_auth_token": signing(credentials.provider_auth_token),
            "aws_url": layout.aws_url,
            "pid": os.getpid(),
        }
        write_private(layout.stack_file, json.dumps(document, indent=2) + "\n")
        exports = {
            "CHAMADE_API_URL": layout.api_url,
            "CHAMADE_API_KEY": credentials.api_key,
            "CHAMADE_NUMBER": numbers[0] if numbers else "",
            "CHAMADE_SIP_URI": document["sip_uri"] or "",
        }
        lines = [f"export {name}={value}" for name, value in exports.items()]
        write_private(layout.shell_file, "\n".join(lines) + "\n")


def application_ports(layout: Layout, credentials: Credentials) -> Ports:
    """The application's stores and services on this stack, for seeding and for tests."""
    os.environ.update(environment.application(layout, credentials))
    bootstrap.config.cache_clear()
    bootstrap.ports.cache_clear()
    return bootstrap.ports()


@contextmanager
def temporary_stack(state_dir: Path, say: Callable[[str], None]) -> Iterator[Stack]:
    """A stack of one's own: free ports, a folder that holds nothing yet. Stopped at the end."""
    layout = Layout(processes.free_port_base(), state_dir)
    with exclusive(layout) as lock:
        stack = Stack(layout, Credentials.load(state_dir), lock)
        try:
            stack.start(say)
            yield stack
        finally:
            stack.stop()


@contextmanager
def exclusive(layout: Layout) -> Iterator[int]:
    """Hold the state folder; the lock's file descriptor.

    AlreadyRunning if another stack holds it: two engines would overwrite each other's state.
    """
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    layout.state_dir.chmod(0o700)  # the engine writes the functions' settings, secrets and all
    with (layout.state_dir / "lock").open("w") as lock:
        _lock(lock, layout)
        yield lock.fileno()


def _lock(lock: TextIO, layout: Layout) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise AlreadyRunning(
                f"a stack is running on {layout.state_dir} already. Stop it, or give this one "
                "a folder and ports of its own: CHAMADE_STATE_DIR=… CHAMADE_PORT_BASE=…"
            ) from None
        return


def _known(ports: Ports, api_key: str) -> str | None:
    from chalicelib.services.accounts import account_of

    return account_of(ports, api_key)
