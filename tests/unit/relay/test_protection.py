"""ECS's task protection: while there are calls, not for ever, and told as seldom as will do."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from relay.config import from_env
from relay.metrics import Counters
from relay.protection import LET_GO_S, LONGEST_S, RENEW_S, Protection

ENV = {"CHAMADE_CONTROL_URL": "http://app", "CHAMADE_CONTROL_SECRET": "s3cret"}
PROTECTED = {"ProtectionEnabled": True, "ExpiresInMinutes": 10}
FREE = {"ProtectionEnabled": False}


class Agent:
    """ECS's agent, as the relay meets it."""

    def __init__(self):
        self.asked, self.status = [], 200

    async def put(self, request):
        self.asked.append(await request.json())
        return web.json_response({"protection": {}}, status=self.status)


@pytest.fixture
async def agent():
    agent = Agent()
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


async def test_a_relay_with_calls_is_spared_and_one_without_is_not(agent, session, scene):
    counters, _, protection = scene
    await protection.look(session)
    counters.calls = 2
    await protection.look(session)
    counters.calls = 0
    await protection.look(session)
    assert agent.asked == [FREE, PROTECTED, FREE]


async def test_it_is_told_again_only_before_it_is_forgotten(agent, session, scene):
    counters, clock, protection = scene
    counters.calls = 1
    for _ in range(3):
        await protection.look(session)
        clock.now += 20
    assert agent.asked == [PROTECTED]
    clock.now += RENEW_S
    await protection.look(session)
    assert agent.asked == [PROTECTED, PROTECTED]


async def test_a_relay_that_drains_may_go(agent, session, scene):
    counters, _, protection = scene
    counters.calls, counters.draining = 1, True
    await protection.look(session)
    assert agent.asked == [FREE]


async def test_on_a_line_that_is_never_quiet_it_lets_go_once_an_hour(agent, session, scene):
    counters, clock, protection = scene
    counters.calls = 5
    await protection.look(session)
    clock.now += LONGEST_S
    await protection.look(session)
    clock.now += LET_GO_S - 1
    await protection.look(session)
    assert agent.asked == [PROTECTED, FREE]
    clock.now += 1
    await protection.look(session)
    assert agent.asked == [PROTECTED, FREE, PROTECTED]


async def test_what_ecs_refused_is_asked_again(agent, session, scene, caplog):
    counters, _, protection = scene
    counters.calls, agent.status = 1, 400
    await protection.look(session)
    agent.status = 200
    await protection.look(session)
    assert agent.asked == [PROTECTED, PROTECTED]
    assert "task protection refused" in caplog.text


async def test_an_agent_that_is_not_there_disturbs_nobody(session, caplog):
    counters = Counters(calls=1)
    await Protection("http://127.0.0.1:9", counters).look(session)
    assert "task protection not told" in caplog.text


def test_ecs_says_where_its_agent_is_and_elsewhere_there_is_none():
    assert from_env({**ENV, "ECS_AGENT_URI": "http://169.254.170.2/api/x"}).ecs_agent_uri
    assert from_env(ENV).ecs_agent_uri == ""
