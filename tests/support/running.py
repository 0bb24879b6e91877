"""A stack as `make run` starts it, and what tests do to it: phones, agents, raw requests."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.softphone.call import PhoneCall
from gateway.softphone.phone import Softphone
from local.agent import Rest, Talk
from local.ports import free_port_base
from tests.support.engine import ROOT

READY_WITHIN_S = 60.0
_callers = itertools.count(1)
_NEW_ACCOUNTS = """
import sys
from chalicelib.services.account.accounts import create_account
from chalicelib.services.operator.account_admin import set_limits
from local.credentials import Credentials
from local.layout import Layout
from local.stack import application_dependencies
layout = Layout.from_environment()
deps = application_dependencies(layout, Credentials.load(layout.state_dir))
for _ in range(int(sys.argv[1])):
    account, key = create_account(deps, "Tenant")
    set_limits(deps, account.account_id, {"max_concurrent_calls": 200})
    print(key)
"""


class Process:
    """`python -m local` with ports and a folder of its own."""

    def __init__(self, state_dir: Path, port_base: int | None = None, **env: str) -> None:
        self.state_dir = state_dir
        self.port_base = port_base or free_port_base()
        self.env = {
            **os.environ,
            "CHAMADE_STATE_DIR": str(state_dir),
            "CHAMADE_PORT_BASE": str(self.port_base),
            "CHAMADE_VOICE_HOSTS": "0",  # their models are for tests of theirs (tests/voice)
            **env,
        }
        self.output = state_dir.with_suffix(".out")

    def start(self) -> None:
        """Start the process; call `wait_ready` or `wait_exit` after it."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local"],
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def read_output(self) -> str:
        """Return everything that the process has printed."""
        return self.output.read_text()

    def wait_ready(self) -> dict[str, Any]:
        """Wait until the process says `ready`; return the stack file."""
        deadline = time.monotonic() + READY_WITHIN_S
        while "ready in" not in self.read_output():
            assert self.process.poll() is None, self.read_output()
            assert time.monotonic() < deadline, self.read_output()
            time.sleep(0.05)
        return self.read_stack_file()

    def read_stack_file(self) -> dict[str, Any]:
        """Return the stack's description of itself, `stack.json`."""
        return dict(json.loads((self.state_dir / "stack.json").read_text()))

    def new_accounts(self, count: int) -> list[Rest]:
        """Make new, unused accounts, as an operator would, with limits for 200 calls at once."""
        made = subprocess.run(
            [sys.executable, "-c", _NEW_ACCOUNTS, str(count)],
            cwd=ROOT, env=self.env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return [Rest(self.read_stack_file()["api_url"], key) for key in made.stdout.split()]

    def wait_exit(self, within_s: float = 30) -> int:
        """Wait for the process to end; return its exit code."""
        return self.process.wait(within_s)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop the process as Ctrl-C does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait_exit()

    def find_leftovers(self) -> list[str]:
        """Return the command lines of processes that still belong to this stack."""
        marker = f"CHAMADE_STATE_DIR={self.state_dir}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and marker in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@contextmanager
def stack_up(folder: Path, **env: str) -> Iterator[Process]:
    """Run a separate stack in `folder`; yield it when it is ready, stop it at the end of the
    block."""
    process = Process(folder / "state", **env)
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


class Live:
    """A running stack and one account of it, which holds a number."""

    def __init__(self, stack: dict[str, Any]) -> None:
        self.stack = stack
        self.rest = Rest(stack["api_url"], stack["api_key"])
        self.number: str = stack["numbers"][0]
        self.state_dir: Path | None = None

    @classmethod
    def newcomer(cls, process: Process) -> Live:
        """Make a new account on a stack."""
        (live,) = newcomers(process, 1)
        return live

    def phone(self) -> Softphone:
        """Return a phone (in the running event loop)."""
        stack = self.stack
        return Softphone(
            stack["gateway_url"], stack["provider_account_sid"], stack["provider_auth_token"]
        )

    async def dial(self, to: str | None = None, **more: Any) -> tuple[PhoneCall, str]:
        """Make a ringing call from a number that no other call uses; return it and its call id."""
        from_ = f"+3361{next(_callers):08d}"
        call = await self.phone().place_call(to or self.number, from_=from_, **more)
        await call.ringing.wait()
        return call, await self.call_id(from_)

    async def call_id(self, from_: str, within_s: float = 10) -> str:
        """Return the id of a caller's newest call."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            listed = await self.rest("GET", "/api/calls?limit=100")
            for call in listed["calls"]:
                if call["from"] == from_:
                    return str(call["call_id"])
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no call from {from_}")

    async def answered(self, clip: bytes = b"", query: str = "?format=mulaw") -> Conversation:
        """Make a call that an agent has accepted and talks on."""
        call, call_id = await self.dial()
        accepted = await self.rest("POST", f"/api/call/{call_id}/accept")
        talk = Talk(accepted["audio"], query)
        running = asyncio.create_task(talk.run(clip))
        await asyncio.wait_for(talk.started.wait(), 10)
        return Conversation(call, call_id, talk, running)


def newcomers(process: Process, count: int) -> list[Live]:
    """Make new accounts on that stack, each with a number."""

    def settle(rest: Rest) -> Live:
        number = rest.now("POST", "/api/number")["e164"]
        return Live({**process.read_stack_file(), "api_key": rest.key, "numbers": [number]})

    return [settle(rest) for rest in process.new_accounts(count)]


class Conversation:
    """The connected caller and agent of a call."""

    def __init__(
        self, call: PhoneCall, call_id: str, talk: Talk, running: asyncio.Task[None]
    ) -> None:
        self.call, self.call_id, self.talk, self.running = call, call_id, talk, running

    async def over(self) -> None:
        """Wait until both sides know that the call is over."""
        await asyncio.wait_for(self.call.ended.wait(), 15)
        await asyncio.wait_for(self.running, 15)


def post(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send a raw POST; return status and decoded body."""
    request = urllib.request.Request(url, data=body, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
