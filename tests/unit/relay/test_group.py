"""Several relay processes on one port: the board, the sums, ports of their own, kills and hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config import Config, Member, from_env
from relay.core.counters import Counters
from relay.group import member, parent
from relay.group.board import PLACE, Board
from relay.group.member import News, Teller, join, read
from relay.group.parent import Group, Totals
from tests.support.ports import HOST, free_port

NEEDED = {"CHAMADE_CONTROL_URL": "http://127.0.0.1:9/", "CHAMADE_CONTROL_SECRET": "hush"}


def news(beat: int, calls: float, **counters: int) -> News:
    return News(beat, {"calls": calls}, counters, "")


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), max_size=30))
def test_each_process_has_a_place_of_its_own_on_the_board(written: list[tuple[int, bytes]]) -> None:
    board = Board.new(3)
    expected = [b""] * 3
    for place, document in written:
        board.write(place, document)
        expected[place] = document
        assert [board.read(each) for each in range(3)] == expected
    os.close(board.file)


def test_a_document_that_is_half_written_or_too_long_counts_as_none() -> None:
    board = Board.new(2)
    board.write(0, b"a whole document")
    os.pwrite(board.file, b"torn", 8)
    assert board.read(0) == b""
    assert read(board, 0) is None
    with pytest.raises(ValueError, match="too long"):
        board.write(1, bytes(PLACE))
    os.close(board.file)


def test_a_process_whose_metrics_are_too_long_still_tells_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board, counters = Board.new(1), Counters()
    counters.calls = 3
    monkeypatch.setattr(member.metrics, "render", lambda _: b"x" * PLACE)
    Teller(board, 0, counters).tell()
    told = read(board, 0)
    assert told is not None
    assert (told.beat, told.gauges["calls"], told.page) == (1, 3, "")
    os.close(board.file)


def test_counters_of_all_processes_never_go_back() -> None:
    totals = Totals()
    assert totals.add({0: (1, news(1, 2, dropped=5)), 1: (1, news(1, 3, dropped=1))}) == (
        {"calls": 5}, {"dropped": 6},
    )  # fmt: skip
    again = totals.add({0: (2, news(1, 0, dropped=2)), 1: (1, news(2, 3, dropped=1))})
    assert again == ({"calls": 3}, {"dropped": 8})


def test_each_process_has_urls_of_its_own_and_a_name_for_each_life() -> None:
    env = NEEDED | {"RELAY_URL": "ws://10.0.0.7:8702", "RELAY_DOOR_PORT": "8703"}
    env |= {"RELAY_ID": "relay", "RELAY_MEMBER": "2/2", "RELAY_FILES": ";;9"}
    config = from_env(env)
    assert config.member == Member(1, 2, (), (), 9)
    assert config.relay_id.startswith("relay-2-")
    assert config.relay_id != from_env(env).relay_id
    made, sockets = join(config)
    (audio,), (door,) = sockets.audio, sockets.door
    assert made.relay_url == f"ws://10.0.0.7:{audio.getsockname()[1]}"
    assert made.door_url.endswith(f":{door.getsockname()[1]}")
    for each in (audio, door):
        each.close()


@pytest.mark.parametrize("text", ["0", "33", "two"])
def test_a_wrong_number_of_processes_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="RELAY_PROCESSES must be"):
        from_env(NEEDED | {"RELAY_PROCESSES": text})


@asynccontextmanager
async def group() -> AsyncIterator[tuple[Group, Config]]:
    env = {**os.environ, **NEEDED, "RELAY_PROCESSES": "2", "RELAY_DRAIN_S": "0"}
    config = from_env(env | {"RELAY_PORT": str(free_port()), "RELAY_DOOR_PORT": str(free_port())})
    env |= {"RELAY_PORT": str(config.port), "RELAY_DOOR_PORT": str(config.door_port)}
    running = Group(config, env)
    await running.start()
    watching = asyncio.create_task(running.watch())
    try:
        yield running, config
    finally:
        watching.cancel()
        assert await running.stop() == 0


async def get(port: int | None, path: str) -> str:
    def ask() -> str:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(ask)


async def until(true: Callable[[], bool], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - processes have no event for it
            await asyncio.sleep(0.05)


async def test_a_process_that_is_killed_or_hangs_is_replaced_and_the_port_always_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parent, "HUNG_BEATS", 4)
    async with group() as (running, config):
        for number in (signal.SIGKILL, signal.SIGSTOP):
            victim = running.processes[0]
            pid, life = victim.pid, victim.life
            assert pid is not None
            os.kill(pid, number)
            for _ in range(5):
                assert await get(config.port, "/healthz") == "ok"
                assert await get(config.door_port, "/healthz") == "ok"
            await until(lambda life=life, victim=victim: victim.up and victim.life > life)  # type: ignore[misc]
            assert victim.pid != pid
        assert running.processes[1].restarts == 0
        page = await get(config.port, "/metrics")
        for process in ("1", "2"):
            assert f'chamade_relay_calls{{process="{process}"}} 0.0' in page
    with pytest.raises(urllib.error.URLError):
        await get(config.port, "/healthz")
