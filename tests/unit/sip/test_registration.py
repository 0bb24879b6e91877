"""Registrations: kept up, refused, granted differently from what was asked, and ended."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable

import pytest

from gateway.sip.agent import UserAgent
from gateway.sip.context import Identity
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import NotRegistered, Registered, Unregistered
from gateway.sip.registration import Registrar, Registration
from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction.flow import Flow

FLOW = Flow("UDP", ("198.51.100.1", 5060), ("192.0.2.1", 5060))


class Desk:
    """A registrar as a function from request to response, with a clock."""

    def __init__(self) -> None:
        seeds = iter(range(1, 1 << 30))
        self.agent = UserAgent(
            Identity("192.0.2.1", "test"),
            random_bytes=lambda n: next(seeds).to_bytes(n, "little"),
        )
        self.now = 0.0
        self.requests: list[Request] = []
        self.times: list[float] = []
        self.answer: Callable[[Request], Response | None] = grant
        self.events: list[object] = []

    def register(self, **more: object) -> Registration:
        registrar = Registrar(
            uri="sip:carrier.example",
            aor="sip:33187654321@carrier.example",
            flow=FLOW,
            user="c7a3",
            **more,  # type: ignore[arg-type]
        )
        registration = self.agent.register(registrar, self.now)
        self.settle()
        return registration

    def settle(self) -> None:
        while sent := self.agent.take_output():
            for _, data in sent:
                request = parse(data)
                assert isinstance(request, Request)
                self.requests.append(request)
                self.times.append(self.now)
                if (response := self.answer(request)) is not None:
                    self.agent.receive(bytes(response), FLOW, self.now)
        self.events += self.agent.take_events()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.agent.next_timer()) is not None and at <= end:
            self.now = at
            self.agent.fire(at)
            self.settle()
        self.now = end


def grant(request: Request) -> Response:
    contact = request.headers.get("Contact")
    expires = request.headers.get("Expires")
    return respond(request, 200, headers={"Contact": f"{contact};expires={expires}"})


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_is_registered_and_refreshed_before_it_expires(desk: Desk) -> None:
    registration = desk.register(expires=600)
    assert desk.events == [Registered(registration, 600)]
    request = desk.requests[0]
    assert (request.method, request.uri) == ("REGISTER", "sip:carrier.example")
    assert request.headers.get("Contact") == "<sip:c7a3@192.0.2.1:5060>"
    desk.wait(600)
    assert len(desk.requests) == 2
    desk.wait(3600)
    assert 7 <= len(desk.requests) <= 9
    assert len({request.call_id for request in desk.requests}) == 1
    numbers = [request.cseq.number for request in desk.requests]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    "line",
    ["{contact};expires=120", "<sip:other@192.0.2.9>;expires=9, {contact};expires=120"],
)
def test_our_own_contact_says_for_how_long(desk: Desk, line: str) -> None:
    def answer(request: Request) -> Response:
        contact = line.format(contact=request.headers.get("Contact"))
        return respond(request, 200, headers={"Contact": contact, "Expires": "3600"})

    desk.answer = answer
    registration = desk.register()
    assert desk.events == [Registered(registration, 120)]


def test_the_expires_of_the_response_counts_if_the_contact_has_none(desk: Desk) -> None:
    desk.answer = lambda request: respond(request, 200, headers={"Expires": "90"})
    registration = desk.register()
    assert desk.events == [Registered(registration, 90)]


def test_no_more_is_taken_than_was_asked_for(desk: Desk) -> None:
    desk.answer = lambda request: respond(request, 200, headers={"Expires": "86400"})
    registration = desk.register(expires=600)
    assert desk.events == [Registered(registration, 600)]


def test_an_interval_that_is_too_brief_is_asked_for_again(desk: Desk) -> None:
    def answer(request: Request) -> Response:
        if int(request.headers.get("Expires")) < 1800:
            return respond(request, 423, headers={"Min-Expires": "1800"})
        return grant(request)

    desk.answer = answer
    registration = desk.register(expires=60)
    assert desk.events == [Registered(registration, 1800)]
    assert len(desk.requests) == 2


@pytest.mark.parametrize("least", ["", "30", "soon", "999999999"])
def test_a_423_that_helps_nobody_is_a_failure(desk: Desk, least: str) -> None:
    desk.answer = lambda request: respond(request, 423, headers={"Min-Expires": least})
    desk.register(expires=60)
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.status == 423


def test_a_registrar_that_always_wants_longer_is_given_up(desk: Desk) -> None:
    wanted = itertools.count(100)
    desk.answer = lambda request: respond(request, 423, headers={"Min-Expires": str(next(wanted))})
    desk.register(expires=60)
    assert len(desk.requests) == 4
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.status == 423


def test_failures_are_tried_again_at_growing_distances(desk: Desk) -> None:
    desk.answer = lambda request: respond(request, 503)
    desk.register()
    desk.wait(4 * 3600)
    pauses = [event.retry_in for event in desk.events if isinstance(event, NotRegistered)]
    assert 15 <= pauses[0] <= 30
    assert max(pauses) <= 1800
    assert 10 <= len(pauses) <= 25


def test_retry_after_is_respected(desk: Desk) -> None:
    desk.answer = lambda request: respond(request, 503, headers={"Retry-After": "300 (busy)"})
    desk.register()
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.retry_in == 300


def test_a_registrar_that_does_not_answer_is_told_without_a_status(desk: Desk) -> None:
    desk.answer = lambda request: None
    desk.register()
    desk.wait(9)
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert (failure.status, failure.reason) == (None, "no answer")
    desk.answer = grant
    desk.wait(31)
    assert isinstance(desk.events[-1], Registered)


def test_it_is_removed_at_the_registrar(desk: Desk) -> None:
    registration = desk.register()
    registration.end(desk.now)
    desk.settle()
    assert desk.requests[-1].headers.get("Expires") == "0"
    assert desk.events[-1] == Unregistered(registration)
    desk.wait(40)
    assert len(desk.agent.context.timers) == 0


def test_its_end_is_told_though_the_registrar_does_not_answer(desk: Desk) -> None:
    registration = desk.register()
    desk.answer = lambda request: None
    registration.end(desk.now)
    desk.wait(33)
    assert desk.events[-1] == Unregistered(registration)
    assert len(desk.agent.context.timers) == 0


def test_a_lost_connection_is_replaced_by_another(desk: Desk) -> None:
    registration = desk.register()
    other = Flow("TCP", FLOW.remote, ("192.0.2.1", 40000), 7)
    registration.move(other, desk.now)
    sent = desk.agent.take_output()
    assert [flow for flow, _ in sent] == [other]
    assert b"transport=tcp" in sent[0][1]


def test_many_that_began_together_do_not_come_back_together() -> None:
    moments = []
    for seed in range(20):
        desk = Desk()
        desk.agent.context.words.random_bytes = lambda n, s=seed: bytes([s * 12]) * n
        desk.register(expires=600)
        desk.wait(600)
        moments.append(desk.times[1])
    assert len({round(at) for at in moments}) > 10
    assert max(moments) - min(moments) > 30


def test_what_was_never_registered_is_not_unregistered(desk: Desk) -> None:
    desk.answer = lambda request: respond(request, 403)
    registration = desk.register()
    registration.end(desk.now)
    desk.settle()
    assert len(desk.requests) == 1
    assert desk.events[-1] == Unregistered(registration)


def under_way(desk: Desk) -> Registration:
    """A registration whose first REGISTER is not answered yet."""
    desk.answer = lambda _: None
    registrar = Registrar(
        uri="sip:carrier.example", aor="sip:a@carrier.example", flow=FLOW, user="c7a3"
    )
    account = DigestAuthoriser("a", "s3cret", desk.agent.context.words.random_bytes)
    registration = desk.agent.register(registrar, desk.now, account)
    desk.settle()
    return registration


def test_a_challenge_that_comes_after_the_end_is_not_answered(desk: Desk) -> None:
    """Or the contact would be registered behind its end."""
    registration = under_way(desk)
    registration.end(desk.now)
    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", algorithm=MD5'}
    late = respond(desk.requests[0], 401, headers=challenge)
    desk.agent.receive(bytes(late), FLOW, desk.now)
    desk.settle()
    assert len(desk.requests) == 1
    assert desk.events == [Unregistered(registration)]


def test_a_registration_that_is_granted_after_its_end_is_removed(desk: Desk) -> None:
    registration = under_way(desk)
    registration.end(desk.now)
    desk.answer = grant
    desk.agent.receive(bytes(grant(desk.requests[0])), FLOW, desk.now)
    desk.settle()
    assert [request.headers.get("Expires") for request in desk.requests] == ["600", "0"]
    assert desk.events == [Unregistered(registration)]


def test_a_registrar_that_grants_next_to_nothing_is_asked_twice_a_second_at_most(
    desk: Desk,
) -> None:
    def answer(request: Request) -> Response:
        contact = request.headers.get("Contact")
        return respond(request, 200, headers={"Contact": f"{contact};expires=1"})

    desk.answer = answer
    desk.register()
    desk.wait(60)
    assert 110 <= len(desk.requests) <= 135


def test_an_answered_registration_keeps_nothing_of_its_messages(desk: Desk) -> None:
    gc.collect()
    gc.disable()
    try:
        registration = desk.register(expires=600)
        sent = weakref.ref(next(iter(desk.agent.context.transactions.clients.values())))
        desk.wait(40)  # until the transaction is over
        assert sent() is None
        assert registration._exchange is None
    finally:
        gc.enable()
