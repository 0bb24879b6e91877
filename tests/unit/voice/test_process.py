"""`python -m voice` as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys

import aiohttp
import pytest

from tests.support.engine import ROOT
from tests.support.ports import free_port

ENV = {
    "CHAMADE_CONTROL_URL": "http://127.0.0.1:9",
    "CHAMADE_VOICE_SECRET": "hush",
    "VOICE_ENGINE": "openai",
    "VOICE_OPENAI_URL": "http://127.0.0.1:9/v1",
    "VOICE_OPENAI_KEY": "sk-secret",
}
WITHIN_S = 60


async def started(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "voice",
        cwd=ROOT, env=os.environ | ENV | env,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    try:
        async with asyncio.timeout(WITHIN_S):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, errors.decode()


async def test_a_host_is_ready_drains_when_it_is_told_to_and_logs_no_secret():
    port = free_port()
    process = await started({"VOICE_PORT": str(port), "VOICE_ID": "voice-7"})
    assert process.stderr
    async with asyncio.timeout(WITHIN_S):
        line = (await process.stderr.readline()).decode()
    ready = json.loads(line)
    assert (ready["message"], ready["voice"]) == ("the voice host is ready for calls", "voice-7")
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/healthz") as answer,
    ):
        assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    status, lines = await ended(process)
    assert status == 0
    assert "hush" not in line + lines
    assert "sk-secret" not in line + lines


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"CHAMADE_VOICE_SECRET": ""}, "voice: CHAMADE_VOICE_SECRET is not set\n"),
        ({"VOICE_ENGINE": "hal"}, "voice: VOICE_ENGINE is none of local, aws, openai\n"),
        (
            {"VOICE_ENGINE": "local", "VOICE_PYTHON": "/nowhere/python"},
            "voice: the engine local cannot be used: ",
        ),
    ],
)
async def test_a_wrong_setting_is_told_and_nothing_starts(env: dict[str, str], told: str):
    status, errors = await ended(await started(env))
    assert status == 2
    assert errors.startswith(told)
    assert env.get("VOICE_PYTHON", "") in errors
    assert "Traceback" not in errors


async def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, errors = await ended(await started({"VOICE_PORT": str(port)}))
    assert status == 2
    assert f"voice: it cannot listen on port {port} of 127.0.0.1" in errors
