"""Two calls that are bridged, at one relay or at two, on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from common import media_token
from relay.config import Config
from relay.core.admission import CONNECTS
from relay.network import peer_leg
from relay.network.control import Control, RetryPolicy
from relay.network.peer_leg import PeerSocket
from relay.network.server import Relay
from tests.support.ports import free_port
from tests.unit.relay.door_client import DoorStack, command, until
from tests.unit.relay.fake_control import EXPIRES_S, SECRET
from tests.unit.relay.pair_application import PairApplication
from tests.unit.relay.peer_callers import TWO, heard_within, open_stream, talk
from tests.unit.relay.stack import START, TIMEOUTS, closed, media, message, played

IDS = ("call_1", "call_2")
Start = Callable[[str], Awaitable[DoorStack]]


@pytest.fixture
async def relay_of(pair: PairApplication) -> AsyncIterator[Start]:
    """Starts a relay of a name, with a door."""
    async with AsyncExitStack() as running:

        async def start(name: str) -> DoorStack:
            port = free_port()
            config = Config(
                control_url=pair.url,
                control_secret=SECRET,
                port=port,
                door_port=0,
                relay_id=name,
                relay_url=f"ws://127.0.0.1:{port}",
                drain_s=0.1,
                timeouts=TIMEOUTS,
            )
            retries = RetryPolicy(timeout=1, pauses=(0.01, 0.01))
            control = await running.enter_async_context(Control(config, retries))
            stack = DoorStack(pair, Relay(config, control))
            stack.port = await stack.relay.start()
            stack.door_url = f"http://127.0.0.1:{await stack.relay.open_door()}"
            running.push_async_callback(stack.relay.drain)
            await running.enter_async_context(stack.closing)
            return stack

        yield start


async def stream(relay: DoorStack, call_id: str) -> ClientConnection:
    """Open the stream of a call's caller, and wait until the relay has it."""
    ws = await open_stream(relay.closing, relay.port, call_id)
    await until(lambda: relay.relay._calls.held(call_id) is not None)
    return ws


async def tell(relay: DoorStack, call_id: str) -> None:
    """Tell a relay by its door how a call is now."""
    assert isinstance(relay.app, PairApplication)
    body = command("changed", params=relay.app.told(call_id))
    status, answer = await relay.post(body, path=f"/door/call/{call_id}")
    assert (status, answer["ok"]) == (200, True)


@pytest.mark.parametrize("names", ["aa", "ab"])
async def test_two_callers_hear_each_other(
    relay_of: Start, pair: PairApplication, names: str
) -> None:
    relays = {name: await relay_of(name) for name in dict.fromkeys(names)}
    near, far = (relays[name] for name in names)
    one, two = await stream(near, "call_1"), await stream(far, "call_2")
    pair.bridge(number=4)
    await tell(near, "call_1")
    await tell(far, "call_2")
    await talk(one, two)
    async with asyncio.timeout(5):
        assert {await pair.bridged.get() for _ in IDS} == {("call_1", 4), ("call_2", 4)}
    assert pair.bridged.empty()


@pytest.mark.parametrize("names", ["aa", "ab"])
@pytest.mark.parametrize("first", IDS)
async def test_whichever_call_comes_first(
    relay_of: Start, pair: PairApplication, names: str, first: str
) -> None:
    relays = {name: await relay_of(name) for name in dict.fromkeys(names)}
    near, far = (relays[name] for name in names)
    pair.bridge()
    if first == "call_1":
        one = await stream(near, "call_1")
        two = await stream(far, "call_2")
        await tell(near, "call_1")
    else:
        two = await stream(far, "call_2")
        one = await stream(near, "call_1")
    await talk(one, two)


@pytest.mark.parametrize("names", ["aa", "ab"])
async def test_keys_of_either_caller_are_pressed_for_the_other(
    relay_of: Start, pair: PairApplication, names: str
) -> None:
    relays = {name: await relay_of(name) for name in dict.fromkeys(names)}
    near, far = (relays[name] for name in names)
    start = START | {"start": START["start"] | {"keys": True}}  # type: ignore[operator]
    pair.bridge()
    callers = []
    for relay, call_id in ((near, "call_1"), (far, "call_2")):
        token = media_token.issue(SECRET, call_id, "provider", EXPIRES_S)
        ws = await relay.open(f"/media/provider/{token}")
        await ws.send(json.dumps(start))
        await until(lambda relay=relay, id_=call_id: relay.relay._calls.held(id_) is not None)
        callers.append(ws)
    one, two = callers
    await tell(near, "call_1")
    await talk(one, two)
    key = {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "7"}}
    for presser, other in ((one, two), (two, one)):
        await presser.send(json.dumps(key))
        assert (await message(other, "dtmf"))["dtmf"]["digit"] == "7"


async def test_the_agent_leaves_when_the_calls_are_bridged(
    relay_of: Start, pair: PairApplication
) -> None:
    relay = await relay_of("a")
    one, two = await stream(relay, "call_1"), await stream(relay, "call_2")
    token = media_token.issue(SECRET, "call_1", "agent", EXPIRES_S)
    agent = await relay.open(f"/media/agent/call_1?token={token}&format=mulaw")
    assert (await message(agent))["type"] == "start"
    pair.bridge()
    await tell(relay, "call_1")
    await tell(relay, "call_2")
    stop = await message(agent, "stop")
    assert (stop["reason"], stop["state"]) == ("transferred", "active")
    assert (await closed(agent))[0] == 1000
    await talk(one, two)


async def test_when_a_stream_moves_to_another_relay_the_callers_go_on(
    relay_of: Start, pair: PairApplication
) -> None:
    """The side that connects learns the new place from its next answer."""
    one_at, two_at, third = [await relay_of(name) for name in "abc"]
    one, two = await stream(one_at, "call_1"), await stream(two_at, "call_2")
    pair.bridge()
    await tell(one_at, "call_1")
    await tell(two_at, "call_2")
    await talk(one, two)
    await two.close()
    moved = await stream(third, "call_2")
    await talk(one, moved)
    await one.close()
    moved_too = await stream(third, "call_1")
    await talk(moved_too, moved)
    assert third.relay.counters.legs["peer"] == 0


@pytest.mark.parametrize("gone", [0, 1])
async def test_when_a_relay_goes_away_the_other_one_waits_for_the_next(
    relay_of: Start, pair: PairApplication, gone: int
) -> None:
    relays = [await relay_of("a"), await relay_of("b")]
    callers = [await stream(relay, call_id) for relay, call_id in zip(relays, IDS, strict=True)]
    pair.bridge()
    for relay, call_id in zip(relays, IDS, strict=True):
        await tell(relay, call_id)
    await talk(callers[0], callers[1])
    await relays[gone].relay.drain()
    callers[gone] = await stream(await relay_of("c"), IDS[gone])
    await talk(callers[0], callers[1])


async def test_when_the_connection_of_two_relays_breaks_they_make_another(
    relay_of: Start, pair: PairApplication
) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    one, two = await stream(near, "call_1"), await stream(far, "call_2")
    pair.bridge()
    await tell(near, "call_1")
    await tell(far, "call_2")
    for relay in (near, far):
        await talk(one, two)
        broken = [leg for leg in relay.relay._calls.legs if isinstance(leg, PeerSocket)]
        assert len(broken) == 1
        broken[0].disconnect()
        await asyncio.wait_for(broken[0].transport.wait_disconnected(), 5)
    await talk(one, two)


async def test_while_the_other_relay_is_away_each_third_try_asks_where_it_is(
    relay_of: Start, pair: PairApplication
) -> None:
    near = await relay_of("a")
    await stream(near, "call_1")
    pair.owners["call_2"] = {"relay": "dead", "relay_url": f"ws://127.0.0.1:{free_port()}"}
    pair.bridge()
    await tell(near, "call_1")
    pair.watches.clear()
    async with asyncio.timeout(10):
        while len(pair.watches) < 2:
            await pair.reports.get()


@pytest.mark.parametrize("names", ["aa", "ab"])
async def test_after_the_bridge_nobody_hears_the_other_call(
    relay_of: Start, pair: PairApplication, names: str
) -> None:
    relays = {name: await relay_of(name) for name in dict.fromkeys(names)}
    near, far = (relays[name] for name in names)
    one, two = await stream(near, "call_1"), await stream(far, "call_2")
    pair.bridge(agent="stay")
    await tell(near, "call_1")
    await tell(far, "call_2")
    await talk(one, two)
    pair.lines["call_1"] = {"number": 2, "mode": "agent", "source": None}
    await tell(near, "call_1")
    for caller in (one, two):
        await caller.send(media(b"\x33" * 160))
    assert b"\x33" not in await heard_within(0.3, one) + await heard_within(0.3, two)
    assert far.relay.counters.legs["peer"] == 0


async def refused(relay: DoorStack, call_id: str, peer_id: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    with pytest.raises(InvalidStatus) as answer:
        await relay.open(f"/media/peer/{call_id}?from={peer_id}", additional_headers=headers)
    return answer.value.response.status_code


async def test_only_the_other_call_of_the_bridge_is_let_in(
    relay_of: Start, pair: PairApplication
) -> None:
    relay = await relay_of("a")
    token = media_token.issue(SECRET, "call_2", "peer", EXPIRES_S)
    assert await refused(relay, "call_2", "call_1", token) == 404
    await stream(relay, "call_2")
    assert await refused(relay, "call_2", "call_1", token) == 409
    pair.bridge()
    await tell(relay, "call_2")
    assert await refused(relay, "call_2", "call_3", token) == 409
    assert await refused(relay, "call_1", "call_2", token) == 401
    for leg in ("agent", "provider"):
        wrong = media_token.issue(SECRET, "call_2", leg, EXPIRES_S)
        assert await refused(relay, "call_2", "call_1", wrong) == 401
    assert await refused(relay, "call_2", "call_1", "") == 401
    assert relay.relay.counters.legs["peer"] == 0


async def test_a_call_has_one_socket_to_the_other_and_few_are_opened(
    relay_of: Start, pair: PairApplication
) -> None:
    relay = await relay_of("a")
    await stream(relay, "call_2")
    pair.bridge()
    await tell(relay, "call_2")
    token = media_token.issue(SECRET, "call_2", "peer", EXPIRES_S)
    headers = {"Authorization": f"Bearer {token}"}
    path = "/media/peer/call_2?from=call_1"
    sockets = [
        await relay.open(path, additional_headers=headers) for _ in range(round(CONNECTS[0]))
    ]
    assert [(await closed(each))[0] for each in sockets[:-1]] == [1000] * (len(sockets) - 1)
    assert await refused(relay, "call_2", "call_1", token) == 429
    await sockets[-1].send(TWO)
    assert relay.relay.counters.legs["peer"] == 1


async def test_what_is_neither_audio_nor_a_key_is_ignored(
    relay_of: Start, pair: PairApplication
) -> None:
    relay = await relay_of("a")
    caller = await stream(relay, "call_2")
    pair.bridge()
    await tell(relay, "call_2")
    token = media_token.issue(SECRET, "call_2", "peer", EXPIRES_S)
    headers = {"Authorization": f"Bearer {token}"}
    peer = await relay.open("/media/peer/call_2?from=call_1", additional_headers=headers)
    for text in ("", "[", '{"type":"dtmf","digit":"55"}', '{"type":"other"}', "é" * 2000):
        await peer.send(text)
    await peer.send(TWO)
    assert await played(caller, 160) == TWO


async def test_a_relay_that_never_answers_is_given_up(
    relay_of: Start, pair: PairApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_leg, "CONNECT_S", 0.05)
    came: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
    silent = await asyncio.start_server(lambda reader, _: came.put_nowait(reader), "127.0.0.1", 0)
    async with silent:
        near = await relay_of("a")
        await stream(near, "call_1")
        url = f"ws://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        pair.owners["call_2"] = {"relay": "silent", "relay_url": url}
        pair.bridge()
        await tell(near, "call_1")
        async with asyncio.timeout(5):
            first = await came.get()
            assert (await first.read()).startswith(b"GET /media/peer/call_2?from=call_1 ")
            await came.get()
        assert near.relay.counters.legs["peer"] == 0
