"""TCP connections of strangers to a voice host."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.voice.host_stack import Stack, until
from voice.network import connections


async def connect(stack: Stack, sent: bytes = b"") -> asyncio.StreamReader:
    port = int(stack.base.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    reader.writer = writer  # type: ignore[attr-defined] # kept open as long as the reader is
    return reader


async def cut(reader: asyncio.StreamReader) -> bool:
    """Wait until the connection is cut. Return whether nothing was answered on it."""
    try:
        async with asyncio.timeout(20):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def test_connections_beyond_the_most_are_cut_and_those_that_there_are_work_on(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    relay = await stack.call()
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    await connect(stack)
    await connect(stack)
    assert await cut(await connect(stack, b"GET /healthz HTTP/1.1\r\n"))
    reply = await relay.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"POST /v1/reserve HTTP/1.1\r\n"])
async def test_a_request_that_does_not_come_is_cut(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, sent: bytes
):
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.2)
    assert await cut(await connect(stack, sent))


async def test_a_body_that_does_not_come_is_cut(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.2)
    head = b"POST /v1/reserve HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    assert await cut(await connect(stack, head))


async def test_a_calls_socket_stays_for_longer_than_a_request(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.1)
    relay = await stack.call()
    assert await cut(await connect(stack))  # by then the call's time would have been over, too
    reply = await relay.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"


async def test_a_connection_has_one_request(stack: Stack):
    twice = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2
    reader = await connect(stack, twice)
    async with asyncio.timeout(20):
        answered = await reader.read()
    assert answered.count(b"200 OK") == 1


async def test_a_place_is_free_again_when_a_relay_vanishes(stack: Stack):
    relay = await stack.call()
    await until(lambda: stack.host.places.calls == 1)
    relay._task.cancel()
    transport = relay.socket._response.connection.transport
    transport.abort()
    await until(lambda: stack.host.places.calls == 0)
