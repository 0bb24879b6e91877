"""Runs a relay alone on one core, under the load of calls that come from another."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load import control_stub, programs, relays
from tests.load.c_programs import compile_c
from tests.load.machine import Busy, pinned_to
from tests.load.relays import Programs, Variant
from tests.load.report import Row

LIVE, CLOSED = "live", "closed"
MESSAGES_A_FRAME = 2
QUERIES = {
    "mulaw": "format=mulaw",
    "pcm16": "format=pcm_s16le&rate=16000",
    "pcm24": "format=pcm_s16le&rate=24000",
    "twilio": "dialect=twilio",
}
"""The query with which an agent asks for its format."""
PATIENCE_S = 120.0

Load = tuple[str, int]
"""(pace, calls)"""


@dataclass(frozen=True)
class Times:
    """Seconds of a run: before the window, the window, and each part of it that is reported."""

    warm_up_s: float
    window_s: float
    every_s: float = 0.0
    """0: the window is one part."""


@contextmanager
def rig(work: Path, former: str = "") -> Iterator[Rig]:
    """A rig with two cores, and a stand-in for the application; `former` is a commit with another
    relay.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the relay bench needs two cores: one for the relay, one for the load")
    with ExitStack() as stack:
        folder = stack.enter_context(relays.former_relay(former)) if former else None
        stack.enter_context(pinned_to(cores[1]))
        control_url = stack.enter_context(control_stub.running())
        yield Rig(work, cores[0], control_url, folder)


class Rig:
    """The load client, the C floor, and where each runs."""

    def __init__(self, work: Path, relay_core: int, control_url: str, former: Path | None) -> None:
        self._relay_core = relay_core
        self._control_url = control_url
        self._work = work
        self._load = compile_c("load", work / "build")
        self._programs = Programs(compile_c("floor", work / "build"), former)

    @contextmanager
    def relay(self, variant: Variant) -> Iterator[tuple[int, int]]:
        """(pid, port) of a variant's program that serves meanwhile, on its core."""
        log = self._work / f"relay-{variant.program}.log"
        with relays.running(variant.program, self._programs, self._control_url, log) as (pid, port):
            os.sched_setaffinity(pid, {self._relay_core})
            yield pid, port

    def run(self, variant: Variant, load: Load, times: Times) -> Row:
        """One variant under one load."""
        with self.relay(variant) as (pid, port):
            idle_kb = programs.rss_mb([pid]) * 1e6 / 1024
            busy = Busy()
            *_, figures = self.parts(variant, load, times, (pid, port))
            used, elapsed = busy.seconds()
        window = times.window_s
        messages = MESSAGES_A_FRAME * figures["delivered_in_window"]
        ours = figures["relay_cpu_s"] + figures["client_cpu_s"]
        return {
            "relay": variant.name,
            "pace": load[0],
            "calls": load[1],
            "cpu_us": figures["relay_cpu_s"] / messages * 1e6 if messages else None,
            "core_percent": figures["relay_cpu_s"] / window * 100,
            "client_percent": figures["client_cpu_s"] / window * 100,
            "others_percent": max(0.0, (used / elapsed - ours / window) * 100),
            "idle_rss_kb": idle_kb,
            **figures,
        }

    def parts(
        self, variant: Variant, load: Load, times: Times, where: tuple[int, int]
    ) -> Iterator[dict[str, Any]]:
        """Yield what the load client reports, part by part as they end, the whole window last."""
        pid, port = where
        pace, calls = load
        arguments = [
            *(port, calls, times.warm_up_s, times.window_s, times.every_s),
            *(variant.agent, pace, pid),
        ]
        client = subprocess.Popen(
            [str(self._load), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stop = _deadline(client, times.warm_up_s + times.window_s + PATIENCE_S)
        try:
            assert client.stdin
            assert client.stdout
            assert client.stderr
            with suppress(BrokenPipeError):  # it says why it has ended, below
                for path in control_stub.paths(calls, QUERIES[variant.agent]):
                    client.stdin.write(f"{path}\n")
                client.stdin.close()
            for line in client.stdout:
                yield json.loads(line)
            if client.wait():
                raise RuntimeError(f"the load client failed: {client.stderr.read().strip()}")
        finally:
            stop.cancel()
            client.kill()
            client.wait()


def _deadline(client: subprocess.Popen[str], seconds: float) -> threading.Timer:
    """Kill the client then, if it is not over."""
    timer = threading.Timer(seconds, client.kill)
    timer.daemon = True
    timer.start()
    return timer
