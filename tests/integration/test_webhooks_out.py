"""Tests of signed deliveries through the real stream, state machine and functions, to a receiver of
ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from chalicelib.domain.call import apply
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.event import Event
from chalicelib.domain.instant import from_text
from chalicelib.domain.new_call import new_inbound
from chalicelib.services import inbox
from chalicelib.store.events import BATCH
from local.agent import Rest
from tests.support.running import Live, Process, stack_up
from tests.support.thorough import often
from tests.support.world import World

Answer = tuple[int, bytes]
KILLS, CALLS_A_KILL = often(6, 40), 3


class Receiver:
    """An owner's server. `answer(event)` decides; by default it takes all."""

    def __init__(self) -> None:
        self.got: list[tuple[float, dict[str, str], bytes]] = []
        self.answer: Callable[[dict], Answer] = lambda event: (200, b"")
        self.news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.news:
                    receiver.got.append((time.time(), dict(self.headers), body))
                    receiver.news.notify_all()
                status, answer = receiver.answer(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def events(self) -> list[dict]:
        """The bodies, in the order in which they came."""
        return [json.loads(body) for _, _, body in self.got]

    def wait(self, enough: Callable[[], bool], within_s: float = 20) -> bool:
        """Until it is enough."""
        with self.news:
            return self.news.wait_for(enough, within_s)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def endpoint(live, receiver):
    made = live.rest.now("POST", "/api/webhooks", {"url": receiver.url, "events": ["call.*"]})
    yield made
    live.rest.now("DELETE", f"/api/webhooks/{made['endpoint_id']}")


async def test_the_events_of_a_call_are_delivered_signed_and_within_seconds(
    live, receiver, endpoint
):
    call, call_id = await live.dial()
    call.hangup()
    await live.rest.wait_for(call_id, "missed")

    def both() -> bool:
        return len([each for each in receiver.events() if each["call_id"] == call_id]) == 2

    assert await asyncio.to_thread(receiver.wait, both)
    verify = Webhook(endpoint["secret"]).verify
    seen = [(at, verify(body, headers)) for at, headers, body in receiver.got]
    assert {event["type"] for _, event in seen} == {"call.ringing", "call.missed"}
    for at, event in seen:
        assert at - from_text(event["timestamp"]) / 1000 < 5  # a busy machine; alone it is 0.3


async def test_a_receiver_accepts_the_call_in_its_answer_to_the_webhook(live, receiver, endpoint):
    receiver.answer = lambda event: (200, b'{"action": "accept"}')
    call, call_id = await live.dial()
    assert await asyncio.wait_for(call.wait_answered(), 10)
    await live.rest("POST", f"/api/call/{call_id}/leave")
    path = f"/api/webhooks/{endpoint['endpoint_id']}/deliveries"
    for _ in range(100):
        page = await live.rest("GET", path)
        ringing = [each for each in page["deliveries"] if each["type"] == "call.ringing"]
        if ringing and ringing[-1]["action"]:
            break
        await asyncio.sleep(0.05)
    assert ringing[-1]["action"] == {"action": "accept", "result": "done"}


async def test_a_failed_delivery_is_retried_five_seconds_later(live, receiver, endpoint):
    receiver.answer = lambda event: (200, b"") if len(receiver.got) > 1 else (500, b"not yet")
    path = f"/api/webhooks/{endpoint['endpoint_id']}"
    call, call_id = await live.dial()
    assert await asyncio.to_thread(receiver.wait, lambda: len(receiver.got) == 2)
    call.hangup()
    (first, before, body), (second, after, again) = receiver.got[:2]
    assert 4.9 < second - first < 9
    assert (before["webhook-id"], body) == (after["webhook-id"], again)
    assert before["webhook-timestamp"] != after["webhook-timestamp"]
    page = await live.rest("GET", f"{path}/deliveries")
    delivery = page["deliveries"][-1]["delivery_id"]
    for _ in range(100):
        seen = await live.rest("GET", f"{path}/deliveries/{delivery}")
        if seen["state"] == "delivered":
            break
        await asyncio.sleep(0.05)
    assert [(each["status"], each["answer"]) for each in seen["tries"]] == [
        (500, "not yet"),
        (200, ""),
    ]
    assert (await live.rest("GET", f"/api/call/{call_id}"))["call_id"] == call_id


@pytest.fixture
def own(tmp_path):
    """A stack that may be mistreated, with its first account."""
    with stack_up(tmp_path) as process:
        yield process, Live(process.read_stack_file())


@pytest.mark.deep
def test_no_event_is_lost_when_deliverers_are_killed_and_the_engine_restarts(own, receiver):
    """SIGKILL for the processes of `fan_out_events` and `deliver_event` while events come; then a
    restart of the whole, which loses the stream and all executions.
    """
    process, live = own
    rest = live.rest
    made = rest.now("POST", "/api/webhooks", {"url": receiver.url, "events": ["call.*"]})
    receiver.answer = lambda event: (time.sleep(0.05), (200, b""))[1]
    for round_ in range(KILLS):
        for number in range(CALLS_A_KILL):
            _ring_and_give_up(live.stack, f"CA{round_:016d}{number:016d}")
        for pid in _workers(process, "app.fan_out_events" if round_ % 2 else "app.deliver_event"):
            os.kill(pid, signal.SIGKILL)
    process.stop()
    process.start()
    rest = Rest(process.wait_ready()["api_url"], live.rest.key)

    wanted = {
        event["event_id"]
        for event in _all_events(rest)
        if event["type"].startswith("call.") and event["at"] >= made["created_at"]
    }
    assert len(wanted) == 2 * CALLS_A_KILL * KILLS
    began = time.monotonic()
    complete = receiver.wait(
        lambda: {headers["webhook-id"] for _, headers, _ in receiver.got} >= wanted, 150
    )
    missing = wanted - {headers["webhook-id"] for _, headers, _ in receiver.got}
    assert complete, f"{len(missing)} missing after {time.monotonic() - began:.0f} s: {missing}"
    for _, headers, body in receiver.got:
        assert json.loads(body)["event_id"] == headers["webhook-id"]


def _ring_and_give_up(stack: dict, sid: str) -> None:
    """Two events: what the trunking provider posts of a caller who soon gives up."""
    for kind, status in (("voice", "ringing"), ("status", "completed")):
        url = f"{stack['api_url']}/webhooks/gateway/{kind}"
        form = {"CallSid": sid, "From": "+33612345678", "To": stack["numbers"][0]}
        form["CallStatus"] = status
        signature = RequestValidator(stack["provider_auth_token"]).compute_signature(url, form)
        code, _ = form_post(url, urlencode(form).encode(), signature)
        assert code < 300


def form_post(url: str, body: bytes, signature: str) -> tuple[int, bytes]:
    """A signed post of the provider's."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
    }
    request = urllib.request.Request(url, data=body, method="POST", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, answer.read()


def _workers(process: Process, handler: str) -> list[int]:
    """Processes of this stack that run a Lambda function."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if handler.encode() in command.split(b"\0"):
                environment = (entry / "environ").read_bytes()
                if f"127.0.0.1:{process.port_base}".encode() in environment:
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def _all_events(rest: Rest) -> list[dict]:
    found, cursor = [], ""
    while True:
        page = rest.now("GET", f"/api/events?after={cursor}" if cursor else "/api/events")
        if not page["events"]:
            return found
        found += page["events"]
        cursor = page["cursor"]


POLLERS, CALLS, WRITERS = 3, often(200, 1000), 6
PAUSE_S = 0.5
"""Before the next poll of who has read all there was: the engine reads whole partitions."""


def test_three_pollers_each_read_all_events_in_order(empty_table):
    """On the engine, while the calls happen: nobody misses, repeats or reorders anything."""
    world = World(empty_table)
    over = threading.Event()
    seen: list[list[Event]] = [[] for _ in range(POLLERS)]

    def poll(mine: list[Event]) -> None:
        cursor = None
        while True:
            last = over.is_set()
            page, cursor = inbox.read(world.deps, world.account_id, cursor, 0 if last else 1)
            mine += page
            if last and not page:
                return
            if len(page) < BATCH:
                over.wait(PAUSE_S)

    pollers = [threading.Thread(target=poll, args=(mine,)) for mine in seen]
    for poller in pollers:
        poller.start()
    with ThreadPoolExecutor(WRITERS) as crowd:
        list(crowd.map(lambda _: _live_a_life(world), range(CALLS)))
    over.set()
    for poller in pollers:
        poller.join()

    first = [event.event_id for event in seen[0]]
    assert len(first) == len(set(first)) == 1 + 3 * CALLS
    assert all([event.event_id for event in mine] == first for mine in seen)
    versions: dict[str, list[int | None]] = {}
    for event in seen[0]:
        if event.call_id:
            versions.setdefault(event.call_id, []).append(event.version)
    assert Counter(map(tuple, versions.values())) == {(1, 2, 3): CALLS}


def _live_a_life(world: World) -> None:
    """A call that rings, is answered and ends: three transactions, three events."""
    moved = new_inbound(
        account_id=world.account_id, provider="gateway", provider_call_id=world.sid(),
        from_="+33612345678", to=world.number, line=world.number, forwarded_from=None,
        auto_answer=False, now=time.time_ns() // 1_000_000,
    )  # fmt: skip
    world.stores.calls.create(moved)
    for act in (Act.ANSWER, Act.AGENT_HANGUP):
        before, now = moved.call, time.time_ns() // 1_000_000
        moved = apply(before, act, now)
        world.stores.calls.move(before, moved, now)
