"""`python -m relay` as a process; configuration and logs."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import signal
import socket
import sys

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from common import media_token
from relay import __main__ as process
from relay import logs
from relay.config import Config, from_env
from relay.core.timeouts import WATCH_WITH_DOOR_S, Timeouts
from runtime.logs import set_up

NEEDED = {"CHAMADE_CONTROL_URL": "http://127.0.0.1:9/", "CHAMADE_CONTROL_SECRET": "hush"}


def test_settings_have_defaults() -> None:
    config = from_env(NEEDED)
    assert (config.host, config.port, config.max_waiting) == ("127.0.0.1", 8702, 200)
    assert config.public_url == config.relay_url == "ws://127.0.0.1:8702"
    assert config.control_url == "http://127.0.0.1:9"
    assert config.timeouts == Timeouts()


def test_a_relay_with_a_door_says_where_it_is_and_asks_less_often() -> None:
    assert from_env(NEEDED).door_url == ""
    config = from_env(NEEDED | {"RELAY_DOOR_PORT": "8706"})
    assert (config.door_port, config.door_url) == (8706, "http://127.0.0.1:8706")
    assert config.timeouts.watch == WATCH_WITH_DOOR_S > Timeouts().watch
    asked = {"RELAY_DOOR_PORT": "1", "RELAY_DOOR_URL": "https://relay/", "RELAY_WATCH_S": "7"}
    config = from_env(NEEDED | asked)
    assert (config.door_url, config.timeouts.watch) == ("https://relay", 7)


def test_collections_of_garbage_leave_out_what_is_loaded_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left_out = []

    async def serve(_config: Config) -> int:
        left_out.append(gc.get_freeze_count())
        return 0

    monkeypatch.setattr(process, "serve", serve)
    monkeypatch.setattr(process, "set_up", lambda *_args, **_options: None)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    try:
        assert process.main() == 0
    finally:
        gc.unfreeze()
    assert left_out[0] > 10_000


def test_relays_with_the_same_settings_have_different_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "task-1")
    ids = {from_env(NEEDED).relay_id for _ in range(10)}
    assert len(ids) == 10
    assert all(re.fullmatch(r"task-1-8702-[0-9a-f]{6}", relay_id) for relay_id in ids)
    assert from_env(NEEDED | {"RELAY_ID": "relay-7"}).relay_id == "relay-7"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "ws://task-1:8702"),
        ("::", "ws://task-1:8702"),
        ("task-1.internal", "ws://task-1:8702"),
        ("127.0.0.1", "ws://127.0.0.1:8702"),
        ("localhost", "ws://localhost:8702"),
        ("::1", "ws://[::1]:8702"),
    ],
)
def test_a_relay_is_reached_by_its_hosts_name_unless_it_listens_on_loopback(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "task-1")
    assert from_env(NEEDED | {"RELAY_HOST": host}).relay_url == url


def test_settings_are_read_from_the_environment() -> None:
    config = from_env(
        NEEDED
        | {
            "RELAY_PORT": "9000",
            "RELAY_PUBLIC_URL": "wss://relay.example/",
            "RELAY_AGENT_BACK_S": "0.5",
            "RELAY_DRAIN_S": "0",
            "RELAY_WATCH_S": "2",
            "RELAY_MAX_WAITING": "7",
            "RELAY_MAX_WAITING_PROVIDERS": "8",
            "RELAY_MAX_WAITING_ADDRESS": "5",
            "RELAY_MAX_CONNECTIONS": "900",
            "RELAY_BEHIND_PROXY": "1",
        }
    )
    assert (config.timeouts.watch, config.max_waiting) == (2, 7)
    assert (config.max_waiting_providers, config.max_waiting_address) == (8, 5)
    assert (config.max_connections, config.behind_proxy) == (900, True)
    assert (config.port, config.public_url) == (9000, "wss://relay.example")
    assert config.timeouts.agent_back == 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAMADE_CONTROL_URL", ""),
        ("CHAMADE_CONTROL_SECRET", ""),
        ("RELAY_PORT", "many"),
        ("RELAY_DRAIN_S", "-1"),
        ("RELAY_DRAIN_S", "nan"),
        ("RELAY_WATCH_S", "0"),
        ("RELAY_MAX_WAITING", "0"),
        ("RELAY_MAX_WAITING_PROVIDERS", "0"),
        ("RELAY_MAX_WAITING_ADDRESS", "few"),
        ("RELAY_MAX_CONNECTIONS", "1"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        from_env(NEEDED | {name: value})


def test_the_secret_is_not_in_the_configs_repr() -> None:
    assert "hush" not in repr(from_env(NEEDED))


def test_logs_are_json_lines_without_peers_protocol_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up("relay", subjects=("call_id",), fields={"relay": "relay-1"})
        logs.info("leg in", call_id="call_1", leg="agent")
        logs.warning("no answer", why="timeout")
        logging.getLogger("picows.server").error("peer broke the protocol")
        try:
            raise KeyError("x")
        except KeyError:
            logs.exception("attach failed", call_id="call_1")
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == ["leg in", "no answer", "attach failed"]
    assert lines[0]["call_id"] == "call_1"
    assert lines[0]["relay"] == "relay-1"
    assert "call_id" not in lines[1]
    assert "KeyError" in lines[2]["exception"]


async def test_the_process_logs_that_it_listens_and_drains_on_sigterm() -> None:
    env = os.environ | NEEDED | {"RELAY_PORT": "0", "RELAY_DRAIN_S": "0.1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", env=env, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        line = json.loads(await process.stderr.readline())
        assert line["message"] == "the relay is ready for calls"
        url = f"ws://127.0.0.1:{line['port']}/media/agent/call_1"
        with pytest.raises(InvalidStatus):
            await connect(f"{url}?token=sesame.of.a.stranger&more=sesame")
        token = media_token.issue("hush", "call_1", "agent", 4_000_000_000)
        async with connect(f"{url}?token={token}&more=sesame") as ws:
            process.send_signal(signal.SIGTERM)
            await ws.wait_closed()
            assert ws.close_code == 1001
        rest = (await process.stderr.read()).decode()
        assert await process.wait() == 0
    assert "its calls are over, or handed on" in rest
    assert "leg refused" not in rest, "strangers leave no lines"
    assert "sesame" not in rest, "no query is logged"
    assert token not in rest


@pytest.mark.parametrize("setting", ["RELAY_PORT", "RELAY_DOOR_PORT"])
async def test_a_port_that_is_taken_is_named_without_a_traceback(setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        own = {"RELAY_PORT": "0", "RELAY_HOST": "127.0.0.1", setting: str(port)}
        env = os.environ | NEEDED | own
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relay", env=env, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().startswith(f"relay: it cannot listen on port {port} of 127.0.0.1 (")
    assert said.count(b"\n") == 1
    assert f"or set {setting} or RELAY_HOST" in said.decode()


async def test_the_process_names_a_missing_setting() -> None:
    env = {name: value for name, value in os.environ.items() if name not in NEEDED}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", env=env, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, said) == (2, b"relay: CHAMADE_CONTROL_URL is not set\n")
