"""Start the stack, watch it, stop it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from chalicelib import bootstrap
from chalicelib.services.dependencies import Dependencies
from common.rotation import signing
from local import aws, environment, ports, processes, seed
from local.credentials import Credentials, write_private
from local.layout import HOST, Layout
from local.processes import Interrupted, Part
from local.voice_hosts import VoiceHosts

SWEEP_DELIVERIES_EVERY_S = 30.0

TRIM_LOGS_EVERY_S = 10.0

WARM_UP_DEADLINES_AFTER_S = 20.0

_JOIN_S = 0.05

LOCK_WAIT_S = 3.0
"""Seconds to wait for the folder of a stack that is just being stopped."""


class AlreadyRunning(Exception):
    """Another stack uses this state folder."""


class Stack:
    """A running stack: its parts, in the order in which they were started."""

    def __init__(self, layout: Layout, credentials: Credentials, lock: int) -> None:
        self.layout, self.credentials, self._lock = layout, credentials, lock
        self.parts: list[Part] = []
        self.voice = VoiceHosts(layout, credentials)
        self._stopping = threading.Event()

    def start(
        self, say: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """Start all parts, in order. After an error the started parts stay in `parts`, so that
        `stop` stops them. Raises Interrupted soon after `stopping()`."""
        layout, credentials = self.layout, self.credentials
        ports.check_ports_free(layout.ports)
        say(f"Starting the stand-in for AWS, which keeps the data, at {layout.aws_url}")
        # The engine holds the lock, too: if this process is killed, the engine still has to save
        # its state.
        logs = layout.state_dir / "logs"
        engine = processes.start(
            "aws", "ministack", environment.ministack(layout), logs, keep_open=(self._lock,)
        )
        self.parts.append(engine)
        # It needs nothing of the engine, so it starts meanwhile.
        carrier_port = layout.ports["carrier"]
        say(f"Starting the carrier, for a trunk to connect to, at port {carrier_port} of {HOST}")
        self._launch("carrier", "local.carrier_process", environment.carrier(layout, credentials))
        processes.wait_until_up(engine, f"{layout.aws_url}/_ministack/health", stopping)
        aws.provision(layout, credentials)
        _check(stopping)
        self._seed(say)
        _check(stopping)
        # Each worker is a process; it starts while the other parts start.
        sweeping = self._spawn(aws.warm_up, layout, "sweep")
        self._spawn(aws.warm_up, layout, "fan_out_events", "deliver_event")
        self._launch_servers(say)
        self._launch_voice_hosts(say)
        http_relay = layout.relay_url.replace("ws://", "http://")
        urls = (layout.carrier_url, layout.api_url, http_relay, *layout.gateway_urls.values())
        for part, url in zip(self.parts[1:], urls, strict=True):
            processes.wait_until_up(part, f"{url}/healthz", stopping)
        self.voice.wait_until_up(say, stopping)
        while sweeping.is_alive():
            sweeping.join(_JOIN_S)
            _check(stopping)
        for line in found_by_sweep(aws.invoke(layout, "sweep", {"restarted": True})):
            say(line)
        _check(stopping)
        self._spawn_upkeep()
        self._spawn(self.voice.keep_running, say)
        self._write_stack_file()

    def _spawn_upkeep(self) -> None:
        for upkeep in (
            self._sweep_now_and_again, self._trim_logs_now_and_again, self._expect_missed_calls,
        ):  # fmt: skip
            self._spawn(upkeep)

    def _launch_servers(self, say: Callable[[str], None]) -> None:
        layout, credentials = self.layout, self.credentials
        say(f"Starting the API and the dashboard at {layout.api_url}")
        self._launch("api", "local.api_server", environment.api_server(layout, credentials))
        say(f"Starting the relay, which carries agents' audio, at {layout.relay_url}")
        self._launch("relay", "relay", environment.relay(layout, credentials))
        for name in layout.gateway_urls:
            port = layout.ports[name.replace("gateway", "sip")]
            say(f"Starting the gateway, for SIP phones, at port {port} of {HOST}")
            self._launch(name, "gateway", environment.gateway(layout, credentials, name))

    def _launch_voice_hosts(self, say: Callable[[str], None]) -> None:
        layout = self.layout
        if layout.voice_hosts:
            many = "voice host" if layout.voice_hosts == 1 else f"{layout.voice_hosts} voice hosts"
            say(f"Starting the {many}, for agents without audio, at {', '.join(layout.voice_urls)}")
        self.voice.start()

    def stop(self) -> list[str]:
        """Stop all parts; return the names of those that had to be killed."""
        self._stopping.set()
        return [*self.voice.stop(), *processes.stop(self.parts)]

    @property
    def phone_account(self) -> tuple[str, str, str]:
        """Return gateway URL, account SID and auth token, which a softphone needs."""
        credentials = self.credentials
        return (
            self.layout.gateway_url,
            credentials.provider_account_sid,
            signing(credentials.provider_auth_token),
        )

    def dead_part(self) -> Part | None:
        """Return a part that has ended and without which the stack is of no use, if there is one.
        Of several gateways one is enough: the trunks of another one are taken over."""
        dead = [part for part in self.parts if part.dead]
        gateways = [part for part in self.parts if part.name in self.layout.gateway_urls]
        if any(not each.dead for each in gateways):
            dead = [part for part in dead if part not in gateways]
        return next(iter(dead), None)

    def _launch(self, name: str, module: str, env: dict[str, str]) -> None:
        logs = self.layout.state_dir / "logs"
        self.parts.append(processes.start(name, module, env, logs))

    def _spawn(self, doing: Callable[..., None], *given: Any) -> threading.Thread:
        thread = threading.Thread(target=doing, args=given, daemon=True)
        thread.start()
        return thread

    def _expect_missed_calls(self) -> None:
        """Start workers for missed calls before the first call can be missed, which takes a minute
        of ringing: sixty calls may be missed at the same moment.
        """
        if not self._stopping.wait(WARM_UP_DEADLINES_AFTER_S):
            aws.warm_up(self.layout, *["expire_ring"] * aws.WORKERS["expire_ring"])

    def _sweep_now_and_again(self) -> None:
        """Run the sweep at intervals, as a schedule does in AWS."""
        while not self._stopping.wait(SWEEP_DELIVERIES_EVERY_S):
            with contextlib.suppress(Exception):  # the engine is busy, or on its way down
                aws.invoke(self.layout, "sweep", {"calls": False})
                aws.expire_recordings(self.layout, datetime.now(UTC))

    def _trim_logs_now_and_again(self) -> None:
        """Trim the logs at intervals, so that they never fill the disk."""
        while not self._stopping.wait(TRIM_LOGS_EVERY_S):
            for part in [*self.parts, *self.voice.parts]:
                with contextlib.suppress(OSError):  # somebody has removed the file
                    part.trim_log()

    def _seed(self, say: Callable[[str], None]) -> None:
        deps = application_dependencies(self.layout, self.credentials)
        seed.fill_pool(deps)
        key = self.credentials.api_key
        if not key or not _known(deps, key):
            say("Opening an account for you, with an API key and a number" + _instead_of(key))
            self.credentials = self.credentials.with_api_key(seed.first_account(deps))
            self.credentials.save(self.layout.state_dir)
        if self.layout.voice_hosts and (account_id := _known(deps, self.credentials.api_key)):
            seed.let_speak(deps, account_id)

    def _write_stack_file(self) -> None:
        layout, credentials = self.layout, self.credentials
        deps = application_dependencies(layout, credentials)
        account_id = _known(deps, credentials.api_key) or ""
        numbers = [line.e164 for line in deps.stores.lines.held_by(account_id)]
        document: dict[str, Any] = {
            "api_url": layout.api_url,
            "api_key": credentials.api_key,
            "dashboard_url": layout.dashboard_url,
            "relay_url": layout.relay_url,
            "gateway_url": layout.gateway_url,
            "gateway_urls": layout.gateway_urls,
            "sip_uri": layout.sip_uri(numbers[0]) if numbers else None,
            "numbers": numbers,
            "provider_account_sid": credentials.provider_account_sid,
            "provider_auth_token": signing(credentials.provider_auth_token),
            "voice_urls": layout.voice_urls,
            "carrier_url": layout.carrier_url,
            "carrier_username": environment.CARRIER_USERNAME,
            "carrier_password": credentials.carrier_password,
            "aws_url": layout.aws_url,
            "pid": os.getpid(),
        }
        write_private(layout.stack_file, json.dumps(document, indent=2) + "\n")
        exports = {
            "CHAMADE_API_URL": layout.api_url,
            "CHAMADE_API_KEY": credentials.api_key,
            "CHAMADE_NUMBER": numbers[0] if numbers else "",
            "CHAMADE_SIP_URI": document["sip_uri"] or "",
            "CHAMADE_CARRIER_PORT": str(layout.ports["carrier"]),
            "CHAMADE_CARRIER_PASSWORD": credentials.carrier_password,
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
        write_private(layout.shell_file, "\n".join(lines) + "\n")


def application_dependencies(layout: Layout, credentials: Credentials) -> Dependencies:
    """Return the application's stores and services on this stack, for seeding and for tests."""
    os.environ.update(environment.application(layout, credentials))
    bootstrap.config.cache_clear()
    bootstrap.dependencies.cache_clear()
    return bootstrap.dependencies()


@contextmanager
def temporary_stack(
    state_dir: Path, say: Callable[[str], None], gateways: int = 1, voice_hosts: int = 0
) -> Iterator[Stack]:
    """Start a separate stack with free ports and an empty folder; stop it at the end of the
    block."""
    layout = Layout(ports.free_port_base(), state_dir, gateways, voice_hosts)
    with exclusive(layout) as lock:
        stack = Stack(layout, Credentials.load(state_dir), lock)
        try:
            stack.start(say)
            yield stack
        finally:
            stack.stop()


@contextmanager
def exclusive(layout: Layout, stopping: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Lock the state folder; yield the lock's file descriptor.

    Raises AlreadyRunning if another stack holds it: two engines would overwrite each other's state.
    Raises Interrupted if `stopping()` while it waits.
    """
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    layout.state_dir.chmod(0o700)  # the engine writes the functions' settings there, with secrets
    with (layout.state_dir / "lock").open("w") as lock:
        _lock(lock, layout, stopping)
        yield lock.fileno()


def _lock(lock: TextIO, layout: Layout, stopping: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        _check(stopping)
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


def _known(deps: Dependencies, api_key: str) -> str | None:
    from chalicelib.services.account.accounts import account_of

    return account_of(deps, api_key)


def _instead_of(key: str) -> str:
    return ": the key in credentials.json opens no account" if key else ""


def _check(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise Interrupted


def found_by_sweep(swept: dict[str, Any]) -> list[str]:
    """Return the lines that tell a user what a sweep (`app.sweep`) had to put right."""
    over = sum(swept.get(what, 0) for what in ("missed", "unanswered", "failed"))
    late = sum(swept.get(what, 0) for what in ("made", "revived"))
    errors = swept.get("errors", 0)
    broke = "errorMessage" in swept  # Lambda's answer for a function that raised
    found = {
        _count(over, "call was left open; now it has ended",
               "calls were left open; now they have ended"): over,
        _count(late, "webhook was left; it is sent now",
               "webhooks were left; they are sent now"): late,
        f"Calls that could not be checked: {errors}. logs/aws.log says why": errors,
        "What the last run left could not be checked: logs/aws.log says why": broke,
    }  # fmt: skip
    return [line for line, count in found.items() if count]


def _count(count: int, one: str, more: str) -> str:
    return f"Of the last run {count} {one if count == 1 else more}"
