"""Tests of HTTP peers that are slow, silent or many: the bounds of what they hold, and for how
long.
"""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import web

from gateway.api import calls as api_calls
from gateway.http.auth import basic
from gateway.server import MAX_FORM
from runtime.strangers import MAX_UNKNOWN, MAX_UNKNOWN_PER_SOURCE, Strangers, note_known

REQUEST = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"x" * 30_000_000
"""More than the kernel keeps for a peer that does not read."""


@pytest.fixture
async def listen():
    """`address = await listen(Strangers(…))`: a server that answers; `/known` is a known client."""
    closing = contextlib.AsyncExitStack()

    async def start(strangers):
        async def answer(request):
            if request.path == "/known":
                note_known(request)
            return web.Response(body=LONG if request.path == "/long" else b"here")

        app = web.Application()
        app.router.add_get("/{what}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        server = await asyncio.get_running_loop().create_server(
            lambda: strangers.protocol(runner.server), "127.0.0.1", 0
        )
        closing.push_async_callback(runner.cleanup)
        closing.callback(server.close)
        return server.sockets[0].getsockname()

    async with closing:
        yield start


@pytest.fixture
async def dial():
    """`reader, writer = await dial(address, from_)`."""
    writers = []

    async def connect(address, from_="127.0.0.1"):
        reader, writer = await asyncio.open_connection(*address, local_addr=(from_, 0))
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()


async def is_closed(reader, within_s=3.0):
    try:
        async with asyncio.timeout(within_s):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


async def answers(connection, what=b"x"):
    reader, writer = connection
    writer.write(REQUEST % what)
    async with asyncio.timeout(3):
        return (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")


async def test_a_connection_that_says_nothing_is_closed(listen, dial):
    address = await listen(Strangers(keepalive_s=0.3))
    reader, _ = await dial(address)
    assert await is_closed(reader)


async def test_a_head_that_trickles_in_is_cut_off(listen, dial):
    reader, writer = await dial(await listen(Strangers(keepalive_s=0.5)))
    closed = asyncio.create_task(is_closed(reader))
    for byte in REQUEST * 10:
        with contextlib.suppress(ConnectionError):
            writer.write(bytes([byte]))
        await asyncio.wait([closed], timeout=0.1)
        if closed.done():
            break
    assert await closed


async def test_a_peer_that_never_reads_is_disconnected(listen, dial, caplog):
    reader, writer = await dial(await listen(Strangers(unread_s=0.3)))
    writer.transport.pause_reading()
    writer.write(REQUEST % b"long")
    async with asyncio.timeout(10):  # it reads nothing of it
        while "does not read its answer" not in caplog.text:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.05)
    writer.transport.resume_reading()
    assert await is_closed(reader)


async def test_a_peer_that_reads_slowly_gets_the_whole_answer(listen, dial):
    reader, writer = await dial(await listen(Strangers(unread_s=60)))
    writer.write(REQUEST % b"long")
    await reader.readuntil(b"\r\n\r\n")
    assert len(await reader.readexactly(len(LONG))) == len(LONG)


async def test_an_address_with_too_many_connections_loses_its_oldest(listen, dial):
    address = await listen(Strangers(most=100, per_source=3))
    many = [await dial(address) for _ in range(5)]
    assert await is_closed(many[0][0])
    assert await is_closed(many[1][0])
    assert [await answers(each) for each in many[2:]] == [True] * 3


async def test_too_many_connections_in_all_close_the_oldest(listen, dial):
    address = await listen(Strangers(most=3, per_source=2))
    many = [await dial(address, f"127.0.0.{n}") for n in range(2, 7)]
    assert await is_closed(many[0][0])
    assert await is_closed(many[1][0])
    assert [await answers(each) for each in many[2:]] == [True] * 3


async def test_a_connection_that_showed_credentials_is_kept(listen, dial):
    address = await listen(Strangers(most=3, per_source=3))
    ours = await dial(address)
    assert await answers(ours, b"known")
    strangers = [await dial(address) for _ in range(8)]
    assert await is_closed(strangers[0][0])
    assert await answers(ours)


async def test_strangers_that_take_all_connections_do_not_keep_others_out(gateway, account, dial):
    address = ("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    one = [await dial(address, "127.0.0.9") for _ in range(MAX_UNKNOWN_PER_SOURCE + 20)]
    assert await is_closed(one[0][0])
    for n in range(10, 14):
        for _ in range(MAX_UNKNOWN // 4 + 10):
            await dial(address, f"127.0.0.{n}")
    headers = {"Authorization": basic(*account)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{gateway.url}/status") as answer,
    ):
        assert answer.status == 200


async def test_a_form_that_trickles_in_is_408(gateway, account, dial, monkeypatch):
    monkeypatch.setattr(api_calls, "BODY_S", 0.2)
    reader, writer = await dial(("127.0.0.1", int(gateway.url.rpartition(":")[2])))
    writer.write(
        f"POST /2010-04-01/Accounts/{account[0]}/Calls.json HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {basic(*account)}\r\nContent-Length: 100\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\nTo=".encode()
    )
    async with asyncio.timeout(3):
        assert b" 408 " in await reader.readline()


async def test_a_form_that_is_too_long_is_413(gateway, account):
    headers = {"Authorization": basic(*account)}
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, data={"To": "x" * (MAX_FORM + 1)}) as answer,
    ):
        assert answer.status == 413
