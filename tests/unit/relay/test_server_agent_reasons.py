"""Reports of why a dialled agent was not reached, on real sockets."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.unit.relay.stack import Stack, closed
from tests.unit.relay.twilio_agent import TwilioAgent, talking


async def test_a_dialled_agent_that_does_not_come_back_is_reported_with_the_reason(
    stack: Stack, agent: TwilioAgent
) -> None:
    stack.app.endings["agent_lost"] = "agent_lost"
    provider, stream = await talking(stack, agent)
    assert agent.server is not None
    agent.server.close(close_connections=False)
    stream.break_off()
    assert (await closed(provider))[0] == 1000
    assert stack.app.bodies[0]["type"] == "agent_lost"
    assert stack.app.bodies[0]["why"].startswith("the connection was refused. Check ")


async def test_an_agent_that_refuses_is_dialled_until_no_agent_is_reported(
    stack: Stack, agent: TwilioAgent, caplog: pytest.LogCaptureFixture
) -> None:
    stack.app.endings["no_agent"] = "no_agent"
    asked = []
    agent.answer = lambda socket, _: asked.append(1) or socket.respond(HTTPStatus.FORBIDDEN, "no")
    provider = await stack.provider()
    assert (await closed(provider))[0] == 1000
    assert len(asked) >= 2
    report = stack.app.bodies[-1]
    assert report["type"] == "no_agent"
    assert report["why"].startswith("it answered with HTTP 403. Check the path")
    assert stack.app.agent_whys == [report["why"]], "told once, and not with each dial"
    logged = [r for r in caplog.records if r.message == "agent not reached"]
    assert (logged[0].call_id, logged[0].why) == ("call_1", report["why"])
    assert "secret" not in caplog.text
    _, text = await stack.get("/metrics")
    assert 'dial_failures_total{why="status"}' in text


async def test_an_agent_that_accepts_after_a_refusal_joins(
    stack: Stack, agent: TwilioAgent
) -> None:
    refusals = iter([1])
    agent.answer = lambda socket, _: (
        socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "") if next(refusals, None) else None
    )
    await talking(stack, agent)
    while len(stack.app.agent_whys) < 2:
        await stack.app.reported("watch")
    refused, there = stack.app.agent_whys
    assert (refused.partition(".")[0], there) == ("it answered with HTTP 503", "")
    assert not stack.app.bodies


async def test_a_call_that_moves_here_loses_its_old_reason_once_the_agent_is_there(
    stack: Stack, agent: TwilioAgent
) -> None:
    stack.app.agent_detail = "The agent at agent_url was not reached: refused."
    await talking(stack, agent)
    while not stack.app.agent_whys:
        await stack.app.reported("watch")
    assert stack.app.agent_whys == [""]


async def test_that_the_agent_is_there_is_reported_until_the_application_answers(
    stack: Stack, agent: TwilioAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.agent_reports.PAUSES_S", (0.01,))
    stack.app.agent_detail = "The agent at agent_url was not reached: refused."
    agent.answer = lambda *_: setattr(stack.app, "broken", 50)
    await stack.provider()
    await (await agent.stream()).begun()
    while not stack.app.agent_whys:
        await stack.app.reported("watch")
    assert (stack.app.agent_whys, stack.app.broken) == ([""], 0)
