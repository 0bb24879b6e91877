"""ECS's task protection: while there are calls, with a pause each hour, renewed in time."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from relay.config import from_env
from relay.core.counters import Counters
from relay.network.ecs_task_protection import LONGEST_S, PAUSE_S, RENEW_S, Protection

ENV = {"CHAMADE_CONTROL_URL": "http://app", "CHAMADE_CONTROL_SECRET": "s3cret"}
PROTECTED = {"ProtectionEnabled": True, "ExpiresInMinutes": 10}
FREE = {"ProtectionEnabled": False}


class RecordingAgent:
    """ECS's agent, which records what it is asked."""

    def __init__(self):
        self.asked, self.status, self.answer = [], 200, {"protection": {}}

    async def put(self, request):
        self.asked.append(await request.json())
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def agent():
    agent = RecordingAgent()
    app = web.Application()
    app.add_routes([web.put("/api/task-protection/v1/state", agent.put)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    agent.uri = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    yield agent
    await runner.cleanup()


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def scene(agent, session):
    counters, clock = Counters(), Clock()
    return counters, clock, Protection(agent.uri, counters, clock)


async def test_a_relay_is_protected_while_it_has_calls(agent, session, scene):
    counters, _, protection = scene
    await protection.update(session)
    counters.calls = 2
    await protection.update(session)
    counters.calls = 0
    await protection.update(session)
    assert agent.asked == [FREE, PROTECTED, FREE]


async def test_protection_is_renewed_before_it_expires(agent, session, scene):
    counters, clock, protection = scene
    counters.calls = 1
    for _ in range(3):
        await protection.update(session)
        clock.now += 20
    assert agent.asked == [PROTECTED]
    clock.now += RENEW_S
    await protection.update(session)
    assert agent.asked == [PROTECTED, PROTECTED]


async def test_a_relay_that_drains_is_not_protected(agent, session, scene):
    counters, _, protection = scene
    counters.calls, counters.draining = 1, True
    await protection.update(session)
    assert agent.asked == [FREE]


async def test_a_relay_that_is_always_busy_pauses_its_protection_once_an_hour(
    agent, session, scene
):
    counters, clock, protection = scene
    counters.calls = 5
    await protection.update(session)
    clock.now += LONGEST_S
    await protection.update(session)
    clock.now += PAUSE_S - 1
    await protection.update(session)
    assert agent.asked == [PROTECTED, FREE]
    clock.now += 1
    await protection.update(session)
    assert agent.asked == [PROTECTED, FREE, PROTECTED]


async def test_a_refused_request_is_repeated(agent, session, scene, caplog):
    counters, _, protection = scene
    counters.calls, agent.status = 1, 400
    await protection.update(session)
    agent.status = 200
    await protection.update(session)
    assert agent.asked == [PROTECTED, PROTECTED]
    assert "task protection refused" in caplog.text


async def test_a_failure_of_ecs_that_comes_with_status_200_is_a_refusal(
    agent, session, scene, caplog
):
    counters, _, protection = scene
    counters.calls = 1
    agent.answer = {
        "failure": {"Arn": "arn:aws:ecs:1", "Reason": "DEPLOYMENT_BLOCKED", "Detail": None},
        "requestID": "1",
    }
    await protection.update(session)
    agent.answer = {"protection": {"ProtectionEnabled": True}}
    await protection.update(session)
    await protection.update(session)
    assert agent.asked == [PROTECTED, PROTECTED]
    assert "task protection refused" in caplog.text


async def test_an_error_of_the_agent_s_own_is_a_refusal(agent, session, scene, caplog):
    counters, _, protection = scene
    counters.calls = 1
    agent.answer = {"error": {"Code": "ServerException", "Message": "try again"}}
    await protection.update(session)
    assert "task protection refused" in caplog.text


async def test_an_unreachable_ecs_agent_is_logged_and_ignored(session, caplog):
    counters = Counters(calls=1)
    await Protection("http://127.0.0.1:9", counters).update(session)
    assert "task protection not told" in caplog.text


def test_the_uri_of_the_ecs_agent_is_blank_outside_ecs():
    assert from_env({**ENV, "ECS_AGENT_URI": "http://169.254.170.2/api/x"}).ecs_agent_uri
    assert from_env(ENV).ecs_agent_uri == ""
