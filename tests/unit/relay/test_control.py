"""The control client against a small application."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from relay.config import Config
from relay.network.control import Answer, Control, NoAnswerError, RefusedError, RetryPolicy
from tests.unit.relay.fake_control import AGENT_TOKEN, SECRET, FakeApplication

RETRIES = RetryPolicy(timeout=0.2, pauses=(0.01, 0.01))


def client(url: str, secret: str = SECRET, at_once: int = 64) -> Control:
    return Control(Config(control_url=url, control_secret=secret), RETRIES, at_once)


async def test_an_attach_names_the_relay_and_returns_the_call(app: FakeApplication) -> None:
    async with client(app.url) as control:
        answer = await control.attach_agent("call_1", AGENT_TOKEN)
    assert (answer.call_id, answer.state, answer.over) == ("call_1", "active", False)
    assert answer.provider_call_id == "CA1"
    assert app.attaches == [
        {
            "relay": "relay-1",
            "relay_url": "ws://127.0.0.1:8702",
            "leg": "agent",
            "call_id": "call_1",
            "token": AGENT_TOKEN,
        }
    ]


async def test_a_refusal_is_not_tried_again(app: FakeApplication) -> None:
    async with client(app.url) as control:
        with pytest.raises(RefusedError) as refused:
            await control.attach_agent("call_1", "wrong")
    assert (refused.value.status, refused.value.code) == (403, "bad_token")
    assert len(app.attaches) == 1


async def test_wrong_secret_is_refused(app: FakeApplication) -> None:
    async with client(app.url, "another secret") as control:
        with pytest.raises(RefusedError) as refused:
            await control.report("call_1", "watch")
    assert refused.value.code == "bad_signature"


async def test_server_errors_are_tried_again(app: FakeApplication) -> None:
    app.broken = 2
    async with client(app.url) as control:
        assert (await control.report("call_1", "watch")).state == "active"


async def test_tries_are_bounded(app: FakeApplication) -> None:
    app.broken = 3
    async with client(app.url) as control:
        with pytest.raises(NoAnswerError, match="500"):
            await control.report("call_1", "watch")
    assert app.broken == 0


async def test_a_time_out_means_no_answer(app: FakeApplication) -> None:
    app.gate.clear()
    async with client(app.url) as control:
        with pytest.raises(NoAnswerError):
            await control.attach_agent("call_1", AGENT_TOKEN)
    app.gate.set()


async def test_a_refused_connection_means_no_answer(unused_tcp_port: int) -> None:
    async with client(f"http://127.0.0.1:{unused_tcp_port}") as control:
        with pytest.raises(NoAnswerError):
            await control.report("call_1", "watch")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", NoAnswerError),
        (200, b'{"call": 5}', NoAnswerError),
        (302, b"", NoAnswerError),
        (429, b"{}", NoAnswerError),
        (404, b"<html>", RefusedError),
        (400, b'{"code": 3}', RefusedError),
    ],
)
async def test_malformed_answers_raise_the_error_of_their_status(
    status: int, body: bytes, error: type[Exception]
) -> None:
    async def handle(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with client(f"http://127.0.0.1:{runner.addresses[0][1]}") as control:
        with pytest.raises(error):
            await control.report("call_1", "watch")
    await runner.cleanup()


async def test_use_outside_the_context_raises_an_error() -> None:
    with pytest.raises(RuntimeError):
        await client("http://127.0.0.1:9").report("call_1", "watch")


@pytest.mark.parametrize(
    ("state", "over"),
    [("connecting", False), ("ringing", False), ("ended", True), ("missed", True), ("new", True)],
)
def test_an_unknown_state_counts_as_over(state: str, over: bool) -> None:
    assert Answer(call={"state": state}).over is over


async def test_the_client_works_after_a_cancelled_request(app: FakeApplication) -> None:
    app.gate.clear()
    async with client(app.url) as control:
        task = asyncio.create_task(control.attach_agent("call_1", AGENT_TOKEN))
        await asyncio.sleep(0)
        task.cancel()
        app.gate.set()
        assert (await control.report("call_1", "watch")).state == "active"


async def test_attaches_that_get_no_answer_do_not_delay_reports(app: FakeApplication) -> None:
    app.gate.clear()
    async with client(app.url, at_once=4) as control:
        flood = [asyncio.create_task(control.attach_agent("call_1", "junk")) for _ in range(40)]
        await asyncio.sleep(0.05)
        assert len(app.attaches) == 4
        async with asyncio.timeout(0.15):
            assert (await control.report("call_1", "watch")).state == "active"
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        app.gate.set()


async def test_waiting_for_a_free_place_does_not_count_as_a_time_out(app: FakeApplication) -> None:
    app.report_s = 0.1
    async with client(app.url, at_once=2) as control:
        answers = await asyncio.gather(*(control.report("call_1", "watch") for _ in range(12)))
    assert len(answers) == 12
    assert app.reports.qsize() == 12, "nothing was asked twice"
