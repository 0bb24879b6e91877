"""Tests of registrations that are granted in odd ways: our contact among whatever is listed."""

from __future__ import annotations

import pytest

from gateway.sip.events import NotRegistered, Registered
from gateway.sip.syntax.message import Request, Response, respond
from tests.unit.sip.test_registration import Desk, grant


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("contact", "granted"),
    [
        ("{c};expires=300,<sip:PBX#1000#9@192.0.2.7>;expires=9,Date:Thu, 24 May 2018", 300),
        ("<sip:c7a3-old@1.2.3.4;transport=udp>;expires=390,: {c};expires=30", 30),
        ('{c};q=1.0;+sip.instance="<urn:uuid:1,2>";expires="120"', 120),
        ("<sip:c7a3@203.0.113.1:1024;Transport=UDP>;Expires=77", 77),
        ("sip:c7a3@192.0.2.1;expires=98", 98),
        ("{c};expires=120.5", 120),
        ("{c};expires=4294967295", 600),
        ("{c};expires=-1", 600),
        ("<sip:somebody@203.0.113.1>;expires=77", 600),
        ("<sip:somebody@203.0.113.1>;expires=0", 600),
        ("*", 600),
        ("", 600),
    ],
)
def test_our_contact_is_found_among_whatever_registrars_list(
    desk: Desk, contact: str, granted: int
) -> None:
    def answer(request: Request) -> Response:
        mine = request.headers.get("Contact")
        return respond(request, 200, headers={"Contact": contact.replace("{c}", mine)})

    desk.answer = answer
    registration = desk.register(expires=600)
    assert desk.events == [Registered(registration, granted)]


def test_a_registration_that_is_granted_for_no_time_is_a_failure_and_tried_again(
    desk: Desk,
) -> None:
    def nothing(request: Request) -> Response:
        contact = request.headers.get("Contact")
        return respond(request, 200, headers={"Contact": f"{contact};expires=0"})

    desk.answer = nothing
    registration = desk.register()
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.status == 200
    assert "0 seconds" in failure.reason
    desk.answer = grant
    desk.wait(31)
    assert desk.events[-1] == Registered(registration, 600)
