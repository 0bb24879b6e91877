"""Tests that no call is lost while parts are restarted and their secrets rotated."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.softphone.phone import SoftphoneError
from local import environment, processes
from local.agent import Refused
from local.layout import HOST
from local.processes import DidNotStart
from local.stack import temporary_stack
from operations.admin import main as admin
from tests.support.ports import free_port
from tests.support.rolling import hears_each_other, keeping, on, roll, spoken
from tests.support.running import Live

ROTATED = ("token_secret", "control_secret", "gateway_control_secret", "provider_auth_token")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with temporary_stack(tmp_path_factory.mktemp("rolling") / "state", lambda _: None) as stack:
        yield stack


@pytest.fixture
def live(stack):
    return on(stack)


async def test_a_call_survives_restarts_of_relay_and_application(stack, live):
    talking = await live.answered(spoken())
    for part in ("relay", "api", "relay"):
        await roll(stack, part)
        await hears_each_other(talking)
        state = await live.rest("GET", f"/api/call/{talking.call_id}")
        assert (state["state"], part) == ("active", part)
    talking.call.hangup()
    await talking.over()
    over = await live.rest.wait_for(talking.call_id, "ended")
    assert over["end_reason"] == "caller_hangup"


@pytest.mark.deep
async def test_a_call_survives_the_rotation_of_every_secret(stack, live):
    old = stack.credentials
    new = {name: "new" + getattr(old, name)[3:] for name in ROTATED}
    steps = [
        {name: f"{getattr(old, name)},{value}" for name, value in new.items()},
        {name: f"{value},{getattr(old, name)}" for name, value in new.items()},
    ]
    talking = await live.answered(spoken())
    cursor = (await live.rest("GET", "/api/events?after=latest"))["cursor"]
    for step in steps:
        stack.credentials = replace(old, **step)
        for part in ("api", "relay"):
            await roll(stack, part)
        await hears_each_other(talking)  # with the token of before
        assert (await live.rest("GET", f"/api/events?after={cursor}"))["events"] is not None
    # The gateway does not hand calls over: it is restarted when its own are over.
    talking.call.hangup()
    await talking.over()
    assert (await live.rest.wait_for(talking.call_id, "ended"))["end_reason"] == "caller_hangup"
    await roll(stack, "gateway")
    stack.credentials = replace(old, **new)
    for part in ("api", "relay", "gateway"):
        await roll(stack, part)
    with pytest.raises(Refused):
        await live.rest("GET", f"/api/events?after={cursor}")
    later = Live({**live.stack, "provider_auth_token": new["provider_auth_token"]})
    fresh = await later.answered(spoken())
    fresh.call.hangup()
    await fresh.over()
    with pytest.raises(SoftphoneError):
        await live.phone().place_call(live.number, from_="+33612345678")


@pytest.mark.deep
async def test_a_call_goes_on_while_its_gateway_is_drained_and_replaced(
    stack, live, monkeypatch, capsys
):
    token = stack.credentials.provider_auth_token
    here = Live({**live.stack, "provider_auth_token": token})
    talking = await here.answered(spoken())
    port = free_port()
    env = environment.gateway(stack.layout, stack.credentials)
    env |= {"GATEWAY_PORT": str(port), "GATEWAY_SIP_PORT": "", "GATEWAY_ID": "successor"}
    logs = stack.layout.state_dir / "logs"

    def succeed() -> None:
        successor = processes.start("successor", "gateway", env, logs)
        stack.parts.append(successor)
        processes.wait_until_up(successor, f"http://{HOST}:{port}/healthz")

    await keeping(succeed)
    for name, value in environment.application(stack.layout, stack.credentials).items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(admin, ["drain", "gateway", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"calls": 1}
    with pytest.raises(SoftphoneError, match="503"):
        await here.phone().place_call(here.number, from_="+33612345679")
    elsewhere = Live({**here.stack, "gateway_url": f"http://{HOST}:{port}"})
    fresh = await elsewhere.answered(spoken())
    assert not talking.call.ended.is_set()
    for each in (talking, fresh):
        each.call.hangup()
        await each.over()
    assert await asyncio.to_thread(admin, ["drain", "gateway", "--wait", "10"]) == 0
    assert await asyncio.to_thread(admin, ["drain", "gateway", "--end"]) == 0
    again = await here.answered(spoken())
    again.call.hangup()
    await again.over()


def test_a_part_with_an_invalid_secret_does_not_start(stack, tmp_path):
    env = environment.relay(stack.layout, stack.credentials) | {"RELAY_PORT": str(free_port())}
    env.pop("RELAY_DOOR_PORT")  # the first one has it
    env["CHAMADE_CONTROL_SECRET"] = "new,"
    part = processes.start("wrong", "relay", env, tmp_path)
    with pytest.raises(DidNotStart, match="comma too many"):
        processes.wait_until_up(part, f"http://{HOST}:{env['RELAY_PORT']}/healthz")
