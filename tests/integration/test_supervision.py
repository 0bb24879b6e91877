"""Tests of `make run`: start, stop, crash, restart."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from local.agent import Rest
from local.layout import HOST, BadSetting, Layout
from local.ports import free_port_base
from tests.support.running import Live, Process

DESIGNED = {
    "api_url", "api_key", "dashboard_url", "relay_url", "gateway_url", "sip_uri", "numbers",
    "provider_account_sid", "provider_auth_token",
    "carrier_url", "carrier_username", "carrier_password",
}  # fmt: skip

OTHER_PARTS = ("gateway", "local.api_server", "local.carrier_process", "ministack")
NAMES = {"local.api_server": "api", "local.carrier_process": "carrier", "ministack": "aws"}


@pytest.fixture
def process(tmp_path):
    made = Process(tmp_path / "state")
    yield made
    if hasattr(made, "process"):
        made.stop(signal.SIGKILL)


def gone(process: Process) -> bool:
    """True once nothing of the stack is left; waits a little for what is dying."""
    deadline = time.monotonic() + 10
    while process.find_leftovers() and time.monotonic() < deadline:
        time.sleep(0.1)
    return process.find_leftovers() == []


def test_ctrl_c_stops_everything_and_leaves_nothing_running(process):
    process.start()
    stack = process.wait_ready()
    assert set(stack) >= DESIGNED
    assert (process.state_dir / "stack.json").stat().st_mode & 0o077 == 0
    assert len(process.find_leftovers()) >= 6
    a_second_one_does_not_start(process)
    assert process.process.poll() is None
    assert process.stop() == 0
    assert gone(process)
    assert not (process.state_dir / "stack.json").exists()
    assert process.read_output().splitlines()[-1] == "Stopped"
    assert "Traceback" not in process.read_output()


def a_second_one_does_not_start(process):
    """Not with the same folder."""
    second = Process(process.state_dir, free_port_base())
    second.output = process.output.with_suffix(".second")
    second.start()
    assert second.wait_exit() == 1
    assert "is running on" in second.read_output()


def press_ctrl_c_after(process, seconds):
    """Press it then, counted from the start; check that all is gone without a traceback."""
    time.sleep(seconds)
    assert process.stop() == 0
    assert gone(process)
    said = process.read_output()
    assert "Traceback" not in said
    assert "error" not in said


@pytest.mark.parametrize(
    "seconds",
    [0.0, 0.3, *(pytest.param(late, marks=pytest.mark.deep) for late in (0.7, 1.5))],
)
def test_ctrl_c_during_the_start_leaves_no_traceback_and_nothing_running(process, seconds):
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as by the Makefile
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    press_ctrl_c_after(process, seconds)


@pytest.mark.deep
def test_ctrl_c_is_heard_after_a_start_in_the_background_of_a_script(process):
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as by a script's `&`
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, former)
    while "Starting" not in process.read_output():
        time.sleep(0.01)
    press_ctrl_c_after(process, 0.5)


@pytest.mark.parametrize(
    "part",
    ["relay", *(pytest.param(part, marks=pytest.mark.deep) for part in OTHER_PARTS)],
)
def test_the_death_of_one_part_is_reported_and_stops_the_stack(process, part):
    process.start()
    process.wait_ready()
    victim = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _runs(entry, part, process)
    )
    os.kill(victim, signal.SIGKILL)
    assert process.wait_exit() == 1
    name = NAMES.get(part, part)
    assert f"error: {name} ended" in process.read_output()
    assert gone(process)


def _runs(entry: Path, module: str, process: Process) -> bool:
    try:
        command = (entry / "cmdline").read_bytes().split(b"\0")
        ours = f"CHAMADE_STATE_DIR={process.state_dir}".encode()
        return command[1:3] == [b"-m", module.encode()] and ours in (entry / "environ").read_bytes()
    except OSError:
        return False


def test_a_taken_port_is_named_with_a_remedy(process):
    with socket.socket() as taken:
        taken.bind((HOST, process.port_base + 1))
        taken.listen()
        process.start()
        assert process.wait_exit() == 1
    said = process.read_output()
    assert f"port {process.port_base + 1} (relay) is taken" in said
    assert "CHAMADE_PORT_BASE=" in said
    assert gone(process)


async def test_state_survives_a_restart_and_overdue_calls_are_swept(process):
    process.start()
    stack = process.wait_ready()
    live = Live(stack)
    number = (await live.rest("POST", "/api/number"))["e164"]
    await live.rest("PATCH", f"/api/number/{number}", {"label": "kept"})
    _, ringing = await live.dial()
    talking = await live.answered()
    assert process.stop(signal.SIGTERM) == 0
    assert gone(process)
    talking.running.cancel()

    process.start()
    again = process.wait_ready()
    rest = Rest(again["api_url"], again["api_key"])
    assert again["api_key"] == stack["api_key"]
    assert set(again["numbers"]) == {*stack["numbers"], number}
    assert (await rest("GET", f"/api/number/{number}"))["label"] == "kept"
    # The calls' gateway is gone: what the stop did not end, the sweep did.
    for call_id in (ringing, talking.call_id):
        over = await rest("GET", f"/api/call/{call_id}")
        assert over["state"] in ("missed", "ended", "failed")
    assert (await rest("GET", "/api/events"))["events"]
    _, fresh = await Live(again).dial()
    assert (await rest("POST", f"/api/call/{fresh}/accept"))["state"] == "active"


@pytest.mark.parametrize("base", ["http", "80", "70000", "-1", "²"])
def test_an_invalid_port_base_is_refused(base):
    with pytest.raises(BadSetting, match="CHAMADE_PORT_BASE"):
        Layout.from_environment({"CHAMADE_PORT_BASE": base})
