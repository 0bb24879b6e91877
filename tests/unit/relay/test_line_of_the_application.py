"""Tests that a relay does with its calls as the application's services say about their lines."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chalicelib.services.call import hold, media, outbound, transfer
from chalicelib.services.call.transfer import TransferRequest
from chalicelib.store.call_media import Relay
from common import media_token
from relay.network.control import Answer
from relay.protocol import tones
from relay.protocol.hold_music import MUSIC
from tests.support.relay_door import talking, with_door
from tests.support.world import CALLEE
from tests.unit.relay.line_scene import Player
from tests.unit.relay.scene import Scene


@pytest.fixture
def door(world: Any) -> Any:
    world.register_trunk()
    return with_door(world)


@pytest.fixture
def call(world: Any, door: Any) -> Any:
    return talking(world, voice="own")


def follow_all(door: Any, call_id: str, scene: Scene) -> list[Answer]:
    """Have a relay follow all that it was told about a call. Return it."""
    told = [
        msgspec.json.decode(msgspec.json.encode(each["params"]), type=Answer)
        for each in door.asked
        if each["method"] == "changed" and each["params"]["call"]["call_id"] == call_id
    ]
    for answer in told:
        scene.bridge.update(answer.call, None, scene.now)
        scene.bridge.follow_line(answer.line, scene.now)
    return told


def test_a_hold_and_its_end(world: Any, door: Any, call: Any, live: Scene) -> None:
    hold.hold(world.deps, world.account_id, call.call_id, True)
    follow_all(door, call.call_id, live)
    assert Player(live).pass_time(1) == MUSIC[:8000]
    assert live.agent.said() == [{"type": "held", "why": "hold"}]
    hold.resume(world.deps, world.account_id, call.call_id)
    follow_all(door, call.call_id, live)
    assert live.agent.said() == [{"type": "unheld"}]


def test_a_cold_transfer(world: Any, door: Any, call: Any, live: Scene) -> None:
    player = Player(live)
    request = TransferRequest(CALLEE, "cold")
    call = transfer.start(world.deps, world.account_id, call.call_id, request)
    follow_all(door, call.call_id, live)
    assert player.pass_time(1) == tones.ringback()[:8000]
    assert live.agent.said() == [{"type": "held", "why": "transfer"}]
    leg = world.stores.calls.get(call.media_line.transfer.call_id)
    outbound.answered(world.deps, "gateway", leg.call_id, leg.provider_call_id)
    relay = Relay("relay-2", "ws://10.0.0.9:8702", "http://10.0.0.9:8703")
    token = media_token.issue(world.deps.secrets.media, leg.call_id, "provider", leg.media_expiry)
    attached = media.attach_provider(world.deps, relay, token, "wss://r", "good")
    assert attached.call.media_line.peer == call.call_id
    told = follow_all(door, call.call_id, live)
    assert live.agent.said()[-1] == {"type": "stop", "reason": "transferred", "state": "active"}
    assert live.bridge.peer.expects(leg.call_id)
    live.bridge.tick(live.now)
    line = live.actions.peers[-1]
    assert (line.peer, line.peer_url) == (leg.call_id, "ws://10.0.0.9:8702")
    assert line == told[-1].line
    assert player.pass_time(1) == b""
