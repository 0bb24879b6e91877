"""Tests of the process as it is deployed: it starts from the environment and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from asyncio import wait_for
from subprocess import PIPE

from gateway import __main__, server
from gateway.config import Config
from gateway.softphone.phone import Softphone


async def spawn(**environment):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=os.environ | environment, stderr=PIPE
    )


async def test_sigterm_hangs_up_reports_and_exits_with_0(application, account, request):
    application.on("/voice", '<Pause length="60"/>')
    process = await spawn(
        GATEWAY_PORT="0",
        GATEWAY_ACCOUNT_SID=account[0],
        GATEWAY_AUTH_TOKEN=account[1],
        GATEWAY_VOICE_URL=application.url + "/voice",
        GATEWAY_STATUS_URL=application.url + "/status",
    )
    request.addfinalizer(lambda: process.returncode is None and process.kill())
    listening = json.loads(await wait_for(process.stderr.readline(), 10))
    assert listening["message"] == "the gateway is ready for calls"
    call = await Softphone(listening["url"], *account).place_call("+15551230000")
    await application.next("/voice")
    process.send_signal(signal.SIGTERM)
    await wait_for(call.ended.wait(), 5)
    _, log = await wait_for(process.communicate(), 5)
    assert process.returncode == 0
    assert (await application.next("/status")).params["CallStatus"] == "failed"
    lines = [json.loads(line) for line in log.splitlines()]
    assert call.call_sid in [line.get("call_sid") for line in lines]
    assert account[1].encode() not in log
    assert "ERROR" not in log.decode().upper().replace('"ERROR_CODE"', "")


async def test_a_wrong_setting_prints_one_sentence_with_exit_code_2():
    process = await spawn(GATEWAY_ACCOUNT_SID="nonsense")
    _, said = await wait_for(process.communicate(), 10)
    assert process.returncode == 2
    assert b"GATEWAY_ACCOUNT_SID must be" in said
    assert b"Traceback" not in said


async def test_a_port_that_is_taken_is_named_and_no_other(account):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await spawn(
            GATEWAY_PORT=str(port),
            GATEWAY_ACCOUNT_SID=account[0],
            GATEWAY_AUTH_TOKEN=account[1],
            GATEWAY_VOICE_URL="http://127.0.0.1:9/voice",
        )
        _, said = await wait_for(process.communicate(), 10)
    assert process.returncode == 2
    assert said.decode().startswith(f"gateway: it cannot listen on port {port} of 127.0.0.1 (")
    assert said.count(b"\n") == 1


def test_collections_of_garbage_leave_out_what_is_loaded_at_the_start(monkeypatch):
    left_out = []

    async def run(_config):
        left_out.append(gc.get_freeze_count())

    monkeypatch.setattr(server, "run", run)
    try:
        config = Config(
            account_sid="AC" + "0" * 32, auth_token="t", voice_url="http://127.0.0.1:1/"
        )
        assert __main__._run(config) == 0
    finally:
        gc.unfreeze()
    assert left_out[0] > 10_000
