"""OPTIONS and double CRLFs by which a far end is asked whether it is there, and a way kept open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.sip.agent import UserAgent
from gateway.sip.context import Identity
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import PingAnswered, PingUnanswered
from gateway.sip.keep_alive import ANSWER_WITHIN, Ping, Pinged
from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction.flow import Flow

FLOW = Flow("UDP", ("198.51.100.1", 5060), ("192.0.2.1", 5060))
OTHER = replace(FLOW, remote=("198.51.100.2", 5060))
PING_EVERY, CRLF_EVERY = 30.0, 25.0
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n", algorithm=MD5'}


class Carrier:
    """A carrier as a function from request to response, with a clock."""

    def __init__(self) -> None:
        seeds = iter(range(1, 1 << 30))
        self.agent = UserAgent(
            Identity("192.0.2.1", "test"),
            random_bytes=lambda n: next(seeds).to_bytes(n, "little"),
        )
        self.now = 0.0
        self.requests: list[Request] = []
        self.sent: list[tuple[float, Flow, bytes]] = []
        self.answer: Callable[[Request], Response | None] = lambda request: respond(request, 200)
        self.events: list[object] = []

    def ping(self, authoriser: DigestAuthoriser | None = None) -> Ping:
        pinged = Pinged(
            uri="sip:carrier.example",
            us="sip:acct@carrier.example",
            flow=FLOW,
            every=PING_EVERY,
            user="c7a3",
            routes=("<sip:proxy.example;lr>",),
        )
        ping = self.agent.ping(pinged, self.now, authoriser)
        self.settle()
        return ping

    def settle(self) -> None:
        while sent := self.agent.take_output():
            for flow, data in sent:
                self.sent.append((self.now, flow, data))
                if not data.strip():
                    continue
                request = parse(data)
                assert isinstance(request, Request)
                self.requests.append(request)
                if (response := self.answer(request)) is not None:
                    self.agent.receive(bytes(response), flow, self.now)
        self.events += self.agent.take_events()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.agent.next_timer()) is not None and at <= end:
            self.now = at
            self.agent.fire(at)
            self.settle()
        self.now = end

    @property
    def pings(self) -> list[float]:
        """Return when each OPTIONS was sent first."""
        first: dict[str, float] = {}
        for at, _, data in self.sent:
            first.setdefault(data.partition(b"branch=")[2].partition(b"\r")[0].decode(), at)
        return list(first.values())


def account(carrier: Carrier, password: str) -> DigestAuthoriser:
    return DigestAuthoriser("acct", password, carrier.agent.context.words.random_bytes)


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


def test_a_far_end_that_answers_is_asked_again_about_every_half_minute(carrier: Carrier) -> None:
    ping = carrier.ping()
    (request,) = carrier.requests
    assert (request.method, request.uri) == ("OPTIONS", "sip:carrier.example")
    assert request.headers.get("Route") == "<sip:proxy.example;lr>"
    assert request.headers.get("From").startswith("<sip:acct@carrier.example>;tag=")
    assert carrier.events == [PingAnswered(ping, 200, "OK")]
    carrier.wait(10 * PING_EVERY)
    gaps = [after - before for before, after in zip(carrier.pings, carrier.pings[1:], strict=False)]
    assert len(gaps) >= 10
    assert all(0.9 * PING_EVERY <= gap <= PING_EVERY for gap in gaps)
    assert {request.call_id for request in carrier.requests} == {request.call_id}


@pytest.mark.parametrize("status", [404, 405, 481, 501, 503, 600])
def test_any_final_answer_says_that_it_is_there(carrier: Carrier, status: int) -> None:
    carrier.answer = lambda request: respond(request, status)
    carrier.ping()
    (event,) = carrier.events
    assert isinstance(event, PingAnswered)
    assert event.status == status


@pytest.mark.parametrize("status", [408, 476, 477, 478])
def test_an_answer_of_a_proxy_that_reached_nobody_says_that_it_is_not(
    carrier: Carrier, status: int
) -> None:
    carrier.answer = lambda request: respond(request, status)
    ping = carrier.ping()
    assert carrier.events == [PingUnanswered(ping, status, carrier.events[0].reason, 1)]


def test_silences_are_told_soon_and_counted_until_an_answer_comes(carrier: Carrier) -> None:
    carrier.answer = lambda _: None
    ping = carrier.ping()
    carrier.wait(ANSWER_WITHIN)
    assert carrier.events == [PingUnanswered(ping, None, "no answer", 1)]
    carrier.wait(PING_EVERY)
    assert [event.in_a_row for event in carrier.events] == [1, 2]
    carrier.answer = lambda request: respond(request, 200)
    carrier.wait(PING_EVERY)
    carrier.answer = lambda _: None
    carrier.wait(PING_EVERY + ANSWER_WITHIN)
    told = [getattr(event, "in_a_row", "answered") for event in carrier.events]
    assert told[:4] == [1, 2, "answered", 1]


def test_a_provisional_answer_is_none(carrier: Carrier) -> None:
    carrier.answer = lambda request: respond(request, 100)
    carrier.ping()
    carrier.wait(ANSWER_WITHIN)
    assert [type(event) for event in carrier.events] == [PingUnanswered]


def test_a_challenge_is_answered_with_the_account(carrier: Carrier) -> None:
    def challenge(request: Request) -> Response:
        if request.headers.get("Authorization"):
            return respond(request, 200)
        return respond(request, 401, headers=CHALLENGE)

    carrier.answer = challenge
    ping = carrier.ping(
        DigestAuthoriser("acct", "s3cret", carrier.agent.context.words.random_bytes)
    )
    assert carrier.events == [PingAnswered(ping, 200, "OK")]
    assert 'username="acct"' in carrier.requests[1].headers.get("Authorization")


def test_refused_credentials_are_not_sent_again(carrier: Carrier) -> None:
    carrier.answer = lambda request: respond(request, 401, headers=CHALLENGE)
    carrier.ping(account(carrier, "wrong"))
    carrier.wait(4 * PING_EVERY)
    signed = [each for each in carrier.requests if each.headers.get("Authorization")]
    assert len(signed) == 1
    assert {type(event) for event in carrier.events} == {PingAnswered}


def test_a_ping_that_is_moved_asks_at_once_by_the_new_way(carrier: Carrier) -> None:
    carrier.answer = lambda _: None
    ping = carrier.ping()
    carrier.wait(1)
    carrier.answer = lambda request: respond(request, 200)
    ping.move(OTHER, carrier.now)
    carrier.settle()
    assert carrier.sent[-1][:2] == (1.0, OTHER)
    carrier.wait(PING_EVERY)
    assert {type(event) for event in carrier.events} == {PingAnswered}
    assert carrier.sent[-1][1] == OTHER


def test_a_ping_that_is_stopped_leaves_nothing(carrier: Carrier) -> None:
    carrier.answer = lambda _: None
    ping = carrier.ping()
    ping.stop()
    carrier.wait(3 * PING_EVERY)
    assert carrier.events == []
    assert len(carrier.pings) == 1
    assert len(carrier.agent.context.timers) == 0
    assert not carrier.agent.context.transactions.clients


def test_an_answer_that_comes_after_the_silence_was_told_changes_nothing(carrier: Carrier) -> None:
    carrier.answer = lambda _: None
    carrier.ping()
    carrier.wait(ANSWER_WITHIN + 1)
    late = respond(carrier.requests[-1], 200)
    carrier.agent.receive(bytes(late), FLOW, carrier.now)
    carrier.settle()
    assert [type(event) for event in carrier.events] == [PingUnanswered]


def test_double_crlfs_go_by_a_flow_until_they_are_stopped(carrier: Carrier) -> None:
    crlf = carrier.agent.keep_open(FLOW, CRLF_EVERY, carrier.now)
    carrier.wait(3 * CRLF_EVERY)
    crlf.stop()
    carrier.wait(3 * CRLF_EVERY)
    assert carrier.sent == [(n * CRLF_EVERY, FLOW, b"\r\n\r\n") for n in (1, 2, 3)]
    assert len(carrier.agent.context.timers) == 0
