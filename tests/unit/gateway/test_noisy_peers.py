"""Tests of peers of a call that send too much or read nothing: relays, browsers, softphones, far
ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from asyncio import wait_for
from types import SimpleNamespace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common import call_ticket
from common.call_ticket import Ticket
from gateway.calls import webhooks
from gateway.calls.live_call import KEYS_BURST
from gateway.calls.pace import Pace
from gateway.config import Config
from gateway.http.auth import basic
from gateway.legs.socket import routes as socket_routes
from gateway.legs.socket.leg import QUEUE_MESSAGES, Socket
from gateway.media.early import EARLY
from gateway.media.opening import Opening
from gateway.media.stream import MAX_MARK, MAX_MESSAGE, MAX_UNREAD, MediaStream
from gateway.softphone.phone import SoftphoneError
from gateway.telemetry.metrics import Metrics
from gateway.trunks import application as trunk_application
from gateway.trunks.application import MAX_TRUNKS

TO, FROM, SECRET = "+15551230000", "client:dashboard", "control-secret"
DEEP = "[" * 100_000


@pytest.fixture
def streaming(application, media, phone):
    """An answered call with a stream: (the phone's end, the server's end)."""

    async def place():
        stream = f'<Connect><Stream url="{media.url}/s"/></Connect>'
        application.on("/voice", f"{stream}<Redirect>/after-stream</Redirect>")
        application.on("/after-stream", "<Hangup/>")
        call = await phone.place_call(TO)
        return call, await media.accept()

    return place


# ---- the relay ----


@pytest.mark.parametrize(
    "text", [DEEP, '{"event":"mark","x":' + DEEP, '{"event":"mark","mark":{"name":' + DEEP]
)
async def test_deeply_nested_json_of_the_relay_is_ignored(streaming, text, caplog):
    _, session = await streaming()
    await session.ws.send(text)
    await session.mark("after")
    assert (await session.next("mark"))["mark"]["name"] == "after"
    assert [r.error_code for r in caplog.records if hasattr(r, "error_code")] == [31924]


async def test_a_mark_with_too_long_a_name_is_ignored(streaming):
    _, session = await streaming()
    await session.mark("x" * (MAX_MARK + 1))
    await session.mark("y" * MAX_MARK)
    assert (await session.next("mark"))["mark"]["name"] == "y" * MAX_MARK


async def test_a_relay_that_never_reads_loses_its_stream_and_the_call_goes_on(
    application, media, phone, caplog
):
    deaf = asyncio.Event()

    async def handle(ws):
        await ws.recv()
        sid = json.loads(await ws.recv())["streamSid"]
        name = "x" * MAX_MARK
        mark = json.dumps({"event": "mark", "streamSid": sid, "mark": {"name": name}})
        ws.transport.pause_reading()
        try:
            for _ in range(100 * MAX_UNREAD // MAX_MARK):
                await ws.send(mark)
                ws.transport.pause_reading()
        except ConnectionClosed:
            deaf.set()

    media.handle_next = handle
    stream = f'<Connect><Stream url="{media.url}/s"/></Connect>'
    application.on("/voice", f"{stream}<Redirect>/after-stream</Redirect>")
    application.on("/after-stream", "<Hangup/>")
    call = await phone.place_call(TO)
    async with asyncio.timeout(20):
        await application.queues["/after-stream"].get()
        await call.ended.wait()
    assert call.ending.status == "completed"
    assert "the stream is given up" in caplog.text


async def test_a_relays_ping_is_answered(streaming):
    _, session = await streaming()
    pong = await session.ws.ping()
    await wait_for(pong, 5)


async def test_a_message_of_endless_fragments_closes_the_stream(streaming, caplog):
    _, session = await streaming()

    async def endless():
        for _ in range(MAX_MESSAGE // (1 << 20) + 5):
            yield "x" * (1 << 20)

    with contextlib.suppress(ConnectionClosed):
        await session.ws.send(endless())
    await wait_for(session.ws.wait_closed(), 5)
    # What was still on its way may reset the connection before CLOSE is read.
    assert session.ws.close_code in (1009, 1006)
    assert f"a message of more than {MAX_MESSAGE} bytes: closed" in caplog.text


# ---- far ends and browsers ----


async def test_keys_beyond_the_pace_are_dropped(streaming):
    call, session = await streaming()
    for _ in range(500):
        call.dtmf("5")
    await asyncio.sleep(0.5)
    keys = [message for message in session.log if message["event"] == "dtmf"]
    assert KEYS_BURST <= len(keys) <= KEYS_BURST + 20


def test_a_pace_refills_over_time_up_to_its_burst():
    now = [0.0]
    pace = Pace(10.0, 3.0, lambda: now[0])
    assert [pace.take() for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] += 0.1
    assert [pace.take() for _ in range(2)] == [True, False]
    now[0] += 60
    assert [pace.take() for _ in range(5)] == [True] * 3 + [False] * 2


def socket_url(gateway, what):
    return f"{gateway.url.replace('http', 'ws')}/legs/{what}"


@pytest.fixture
def party(gateway, account):
    """A party's own socket, to say what no softphone says."""
    headers = {"Authorization": basic(*account)}
    url = socket_url(gateway, "call?to=%2B15551230000&from=%2B15550000001")
    return connect(url, additional_headers=headers)


async def code_of(socket):
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
    return socket.close_code


async def test_deeply_nested_json_of_a_party_is_a_bad_message(application, party):
    application.on("/voice", '<Pause length="60"/>')
    async with party as socket:
        await socket.send(DEEP[:4000])
        assert await code_of(socket) == 4400


async def test_a_party_that_floods_is_hung_up_on(application, party):
    application.on("/voice", '<Pause length="60"/>')
    async with party as socket:
        for _ in range(1500):
            await socket.send(bytes(160))
        assert await code_of(socket) == 4429


async def test_a_partys_message_that_is_too_long_closes_its_socket(application, party):
    application.on("/voice", '<Pause length="60"/>')
    async with party as socket:
        await socket.send("x" * (socket_routes.MAX_MESSAGE + 1))
        assert await code_of(socket) == 1009


async def test_a_party_that_never_reads_is_disconnected():
    aborted = asyncio.Event()

    class Stuck:
        async def send_str(self, _text):
            await asyncio.Event().wait()

        send_bytes = send_str

    socket = Socket(Stuck(), aborted.set)
    for _ in range(QUEUE_MESSAGES * 3):
        socket.play(bytes(160))
        socket.tell("dtmf", digit="1")
    assert aborted.is_set()
    assert socket._queue.qsize() <= QUEUE_MESSAGES
    socket._pump.cancel()


async def test_browsers_that_call_one_number_are_bounded(start_gateway, application, monkeypatch):
    monkeypatch.setattr(socket_routes, "MAX_BROWSERS_PER_NUMBER", 2)
    gateway = await start_gateway(control_secret=SECRET)
    application.on("/voice", '<Pause length="60"/>')
    tickets = [
        call_ticket.issue(SECRET, Ticket(to, FROM, None, int(time.time()) + 60))
        for to in (TO, TO, TO, "+15551239999")
    ]
    urls = [socket_url(gateway, f"call?ticket={text}") for text in tickets]
    async with connect(urls[0]) as first, connect(urls[1]):
        await first.recv()
        with pytest.raises(InvalidStatus) as no:
            await connect(urls[2])
        assert no.value.response.status_code == 429
        async with connect(urls[3]):
            pass


async def test_numbers_that_wait_for_calls_are_bounded(phone, monkeypatch):
    monkeypatch.setattr(socket_routes, "MAX_LINES", 2)
    lines = [await phone.register(f"+1555123000{n}") for n in range(2)]
    with pytest.raises(SoftphoneError, match="503"):
        await phone.register("+15551230002")
    for line in lines:
        line.close()


# ---- the application ----


async def test_status_callbacks_under_way_are_bounded(monkeypatch, caplog):
    monkeypatch.setattr(webhooks, "MAX_PENDING", 3)
    config = Config(account_sid="AC" + "0" * 32, auth_token="t", voice_url="http://x/")
    metrics = Metrics()
    hooks = webhooks.Webhooks(None, config, metrics)

    async def never(*_args, **_options):
        await asyncio.Event().wait()

    hooks._request = never
    for _ in range(5):
        hooks.notify("http://x/", "POST", {"CallSid": "CA1", "CallStatus": "completed"})
    assert len(hooks._pending) == 3
    assert metrics.webhook_errors["status"] == 2
    assert caplog.text.count("further ones are dropped") == 1
    await hooks.drain(0.01)


async def test_trunks_are_bounded(monkeypatch):
    client = trunk_application.Application(None, "http://x", "s", "g")
    digits = str.maketrans("0189", "abcd")

    async def page(_path, _shape, after=None):
        begin = int(after or 0)
        listed = [
            SimpleNamespace(
                trunk_id="trunk_" + f"{n:026d}".translate(digits), revision=1, ours=True
            )
            for n in range(begin, begin + 1000)
        ]
        return SimpleNamespace(trunks=listed, next=str(begin + 1000))

    client._post = page
    monkeypatch.setattr(trunk_application, "MAX_TRUNKS", 3000)
    with pytest.raises(trunk_application.ApplicationError, match="more than 3000 trunks"):
        await client.list_trunks()
    assert MAX_TRUNKS == 10_000


# ---- before a stream ----


async def test_audio_kept_before_a_stream_opens_is_bounded():
    stream = MediaStream(Opening("ws://127.0.0.1:1/", "", "AC1", "CA1", {}), Metrics())
    for _ in range(EARLY * 3):
        stream.hear(bytes(160))
    assert len(stream._early._items) == EARLY
