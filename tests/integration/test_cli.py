"""Tests of the command line `chamade` on a running stack."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager

import numpy as np
import pytest

from chamade import AsyncClient
from gateway.softphone import wav
from local import listening
from tests.support.client_line import connected_trunk
from tests.support.clips import AUDIO, WITHIN_S, clip, samples, until_heard
from tests.support.engine import ROOT
from tests.support.ports import free_port

SLOW_S = 30


def hear_ctrl_c() -> None:
    """Have Ctrl-C's signal heard, as in a terminal: who starts the tests may ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Cli:
    """Runs commands with the stack's credentials."""

    def __init__(self, stack) -> None:
        self.env = {
            **os.environ,
            "CHAMADE_API_URL": stack["api_url"],
            "CHAMADE_API_KEY": stack["api_key"],
        }

    @asynccontextmanager
    async def running(self, *words: str, **env: str):
        """A command, while it runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chamade", *words, cwd=ROOT, env={**self.env, **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            preexec_fn=hear_ctrl_c,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def run(self, *words: str, **env: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        async with self.running(*words, **env) as process:
            out, err = await asyncio.wait_for(process.communicate(), SLOW_S)
            return process.returncode, out.decode(), err.decode()

    async def json(self, *words: str, **env: str):
        """Run a command with --json, which must succeed; return what it prints."""
        code, out, err = await self.run(*words, "--json", **env)
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def cli(live):
    return Cli(live.stack)


async def until(process, text: str) -> str:
    """Waits for a line on standard error."""
    while text not in (
        line := (await asyncio.wait_for(process.stderr.readline(), SLOW_S)).decode()
    ):
        assert line, f"ended without {text!r}"
    return line


async def test_a_call_is_taken_recorded_and_talked_on_from_the_shell(live, cli, tmp_path):
    caller, call_id = await live.dial()
    assert [call["call_id"] for call in await cli.json("call", "list", "--state", "ringing")].count(
        call_id
    ) == 1
    accepted = await cli.json("call", "accept", call_id)
    assert accepted["state"] == "active"
    assert (await cli.run("call", "show", call_id, "-q"))[1] == f"{call_id}\n"
    assert "token" not in accepted["audio"]
    record = tmp_path / "heard.wav"
    words = ["call", "talk", call_id, "--play", str(AUDIO / "goodbye.wav"), "--dtmf", "42#"]
    async with cli.running(*words, "--record", str(record), "--json") as talk:
        await until(talk, "on the line")
        assert await asyncio.wait_for(caller.wait_answered(), WITHIN_S)
        await until_heard(caller, clip("goodbye.wav", 0.5))
        await caller.play(clip("caller.wav", 3))
        await asyncio.wait_for(caller.wait_keys("42#"), WITHIN_S)
        caller.dtmf("7")
        await caller.wait_frames(len(caller.received) + 25)
        caller.hangup()
        out, _ = await asyncio.wait_for(talk.communicate(), WITHIN_S)
    assert talk.returncode == 0
    assert json.loads(out) == {"call_id": call_id, "end_reason": "caller_hangup", "keys": "7"}
    assert caller.keys == "42#"
    assert listening.find(samples(wav.read(AUDIO / "goodbye.wav")), samples(caller.audio())).heard
    audio = at_8000(record)
    assert listening.find(samples(clip("caller.wav", 3)), audio).heard
    shown = await cli.json("call", "show", call_id)
    assert (shown["state"], shown["audio"]) == ("ended", None)
    code, _, err = await cli.run("call", "accept", call_id)
    assert (code, "call_over" in err) == (5, True)


def at_8000(path) -> np.ndarray:
    """A recording at 16 kHz, at 8."""
    data = path.read_bytes()
    return np.frombuffer(data[data.index(b"data") + 8 :], "<i2")[::2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_hangs_up_and_the_recording_is_whole(live, cli, tmp_path, number):
    caller, call_id = await live.dial()
    await cli.json("call", "accept", call_id)
    record = tmp_path / "heard.wav"
    async with cli.running("call", "listen", call_id, "--record", str(record)) as listening_on:
        await until(listening_on, "on the line")
        await asyncio.wait_for(caller.wait_answered(), WITHIN_S)
        await caller.play(bytes([0xFF]) * 8000 + clip("caller.wav", 2) + bytes([0xFF]) * 4000)
        listening_on.send_signal(number)
        _, err = await asyncio.wait_for(listening_on.communicate(), WITHIN_S)
    assert listening_on.returncode == 130
    assert b"Traceback" not in err
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
    assert not caller.hung_up
    assert (await live.rest("GET", f"/api/call/{call_id}"))["end_reason"] == "agent_hangup"
    assert listening.find(samples(clip("caller.wav", 2)), at_8000(record)).heard


async def test_listen_writes_samples_into_a_pipe(live, cli):
    caller, call_id = await live.dial()
    await cli.json("call", "accept", call_id)
    async with cli.running("call", "listen", call_id, "--raw") as pipe:
        await until(pipe, "on the line")
        await asyncio.wait_for(caller.wait_answered(), WITHIN_S)
        await caller.play(bytes([0xFF]) * 8000 + clip("caller.wav", 2))
        await caller.wait_frames(len(caller.received) + 25)
        caller.hangup()
        raw, _ = await asyncio.wait_for(pipe.communicate(), WITHIN_S)
    assert listening.find(samples(clip("caller.wav", 2)), np.frombuffer(raw, "<i2")[::2]).heard


async def test_the_events_command_prints_lines_or_json(live, cli):
    first = await live.dial()
    await live.rest("POST", f"/api/call/{first[1]}/refuse")
    code, out, _ = await cli.run(
        "event", "tail", "--after", "oldest", "--type", "call.declined", "--count", "1", "--json"
    )
    cursorless = json.loads(out)
    assert (code, cursorless["type"]) == (0, "call.declined")
    words = ["event", "tail", "--after", "oldest", "--type", "call.*", "--json"]
    async with cli.running(*words) as tail:
        while first[1] not in (await asyncio.wait_for(tail.stdout.readline(), SLOW_S)).decode():
            pass
        caller, call_id = await live.dial()
        caller.hangup()
        seen = []
        while not seen or seen[-1]["type"] != "call.missed" or seen[-1]["call_id"] != call_id:
            seen.append(json.loads(await asyncio.wait_for(tail.stdout.readline(), SLOW_S)))
        tail.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(tail.wait(), WITHIN_S) == 130
    code, out, _ = await cli.run("event", "tail", "--after", "oldest", "--count", "2")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert [len(line) for line in lines] == [6, 6, 6]  # the names of the columns, and two events


async def test_numbers_are_activated_changed_and_released(cli):
    number = (await cli.json("number", "activate", "--country", "FR"))["e164"]
    changed = await cli.json("number", "change", number, "--auto-answer", "--label", "Desk")
    assert (changed["auto_answer"], changed["label"]) == (True, "Desk")
    code, out, _ = await cli.run("number", "list")
    assert code == 0
    assert f"{number}\tFR\tyes\tDesk\town" in out.splitlines()
    assert await cli.json("number", "release", number) == {}
    code, _, err = await cli.run("number", "release", number, "--json")
    assert (code, json.loads(err)["code"]) == (3, "number_not_found")


async def test_accounts_and_keys_are_created_listed_and_revoked(cli, live):
    code, out, _ = await cli.run("key", "create", "--label", "laptop")
    key_id, key = re.findall(r"(key_\w+)|(chmd_\w+)", out)[0][0], re.search(r"chmd_\w+", out)[0]
    assert code == 0
    with_it = {"CHAMADE_API_KEY": key}
    account = await cli.json("account", "show", **with_it)
    assert account == await cli.json("account", "show")
    assert key_id in [one["key_id"] for one in await cli.json("key", "list")]
    await cli.json("key", "revoke", key_id)
    assert (await cli.run("account", "show", **with_it))[0] == 4
    code, out, _ = await cli.run("account", "create", "Somebody", CHAMADE_API_KEY="")
    other = re.search(r"chmd_\w+", out)[0]
    shown = await cli.json("account", "show", CHAMADE_API_KEY=other)
    assert (code, shown["name"]) == (0, "Somebody")
    first = await cli.run("account", "agent-token", CHAMADE_API_KEY=other)
    second = await cli.run("account", "agent-token", "--rotate", CHAMADE_API_KEY=other)
    assert first[0] == second[0] == 0
    assert first[1] != second[1]


async def test_webhooks_are_created_tested_and_listed(cli):
    url = f"http://127.0.0.1:{free_port()}/nobody-there"
    made = await cli.json("webhook", "create", url, "--event", "call.*", "--label", "x")
    endpoint = made["endpoint_id"]
    assert made["secret"].startswith("whsec_")
    assert "secret" not in (await cli.json("webhook", "list"))[0]
    assert (await cli.json("webhook", "rotate", endpoint, "--overlap", "0"))["secret"] != made[
        "secret"
    ]
    delivery = (await cli.json("webhook", "test", endpoint))["delivery_id"]
    for _ in range(100):
        (shown,) = await cli.json("webhook", "deliveries", endpoint)
        if shown["state"] == "failed":
            break
    assert (shown["delivery_id"], shown["type"], shown["attempts"]) == (delivery, "webhook.test", 1)
    assert (await cli.json("webhook", "replay", endpoint, delivery))["replays"] == 1
    await cli.json("webhook", "delete", endpoint)
    assert (await cli.run("webhook", "deliveries", endpoint))[0] == 3


async def test_a_trunk_is_connected_dialled_through_and_disconnected(live, cli):
    password = "CHAMADE_TRUNK_PASSWORD"
    async with (
        asyncio.timeout(90),
        AsyncClient(live.stack["api_url"], live.stack["api_key"]) as client,
        connected_trunk(client) as (phone, uri),
    ):
        trunk = await cli.json("trunk", "show")
        assert trunk["status"] == "registered"
        did = "+33199005677"
        await cli.json("did", "add", did, "--label", "Desk")
        await cli.json("did", "change", did, "--auto-answer")
        code, out, _ = await cli.run("did", "list")
        assert (code, f"{did}\tyes\tDesk\town\t-" in out) == (0, True)
        await cli.json("did", "remove", did)
        answering = asyncio.create_task(phone.answer_next())
        dialled = await cli.json("call", "dial", uri, "--metadata", '{"a": 1}')
        assert dialled["metadata"] == {"a": 1}
        words = ["call", "talk", dialled["call_id"], "--hang-up", "--play"]
        code, _, err = await cli.run(*words, str(AUDIO / "goodbye.wav"))
        assert (code, "your side hung up" in err) == (0, True)
        talking = await answering
        await talking.ended.wait()
        audio = samples(talking.heard)
        # Most of it: across SIP a machine that is busy with other tests tears a hole into it.
        assert listening.follow(samples(wav.read(AUDIO / "goodbye.wav")), audio).share > 0.7
        words = ["trunk", "connect", "127.0.0.1", "--port", str(trunk["port"]), "--wait"]
        code, _, err = await cli.run(*words, "--username", "acct42", **{password: "wrong"})
        assert (code, "failed" in err) == (1, True)
    assert (await cli.run("trunk", "show"))[0] == 3
    assert "no_trunk" in (await cli.run("trunk", "show"))[2]


async def test_exit_codes_follow_the_api_s_errors(cli):
    assert (await cli.run("call", "show", "call_x"))[0] == 3
    assert (await cli.run("call", "list", "--state", "asleep"))[0] == 2
    good = cli.env["CHAMADE_API_KEY"]
    typo = good[:-1] + ("A" if good[-1] != "A" else "B")
    code, _, err = await cli.run("call", "list", CHAMADE_API_KEY=typo)
    assert (code, "typo" in err) == (4, True)
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert (await cli.run("call", "leave", "call_x", CHAMADE_API_URL=nowhere))[0] == 7
