"""The call flows of RFC 3665 section 2, by their names: what a registrar gets, in which order.

2.3, a request for the current contact list, is sent by no registration here: the list that comes
with each 200 is read instead. A refresh and a cancellation have credentials already, so they need
no 401 before them.
"""

from __future__ import annotations

from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import NotRegistered, Registered, Unregistered
from gateway.sip.registration import Registrar, Registration
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.digest.test_authoriser import Lock, authoriser
from tests.unit.sip.test_registration import FLOW, Desk


def register(desk: Desk, account: DigestAuthoriser) -> Registration:
    registrar = Registrar(uri="sip:carrier", aor="sip:33187654321@carrier", flow=FLOW, user="c7a3")
    registration = desk.agent.register(registrar, desk.now, account)
    desk.settle()
    return registration


class Book:
    """The answers of a registrar, in turn."""

    def __init__(self, desk: Desk, lock: Lock) -> None:
        self.statuses: list[int] = []
        self._lock = lock
        desk.answer = self

    def __call__(self, request: Request) -> Response:
        response = self._lock(request)
        self.statuses.append(response.status)
        return response


def test_2_1_successful_new_registration() -> None:
    desk = Desk()
    book = Book(desk, Lock())
    registration = register(desk, authoriser())
    assert book.statuses == [401, 200]
    first, second = desk.requests
    assert (first.method, second.method) == ("REGISTER", "REGISTER")
    assert (first.cseq.number + 1, first.call_id) == (second.cseq.number, second.call_id)
    assert "Authorization" not in first.headers
    assert second.headers.get("Authorization").startswith("Digest ")
    assert desk.events == [Registered(registration, 600)]


def test_2_2_update_of_contact_list() -> None:
    """And 2.3: the answer has the whole list, in which ours is found."""
    desk = Desk()
    other = "<sip:UserB@110.111.112.113>;expires=3600"

    class SharedLock(Lock):
        def __call__(self, request: Request) -> Response:
            response = super().__call__(request)
            if response.status == 200:
                mine = response.headers.get("Contact").replace("expires=600", "expires=300")
                response.headers.put("Contact", f"{other}, {mine}")
            return response

    book = Book(desk, SharedLock())
    registration = register(desk, authoriser())
    assert desk.events == [Registered(registration, 300)]
    desk.wait(300)
    assert book.statuses == [401, 200, 200]
    assert {request.headers.get("Contact") for request in desk.requests} == {
        "<sip:c7a3@192.0.2.1:5060>"
    }


def test_2_4_cancellation_of_registration() -> None:
    desk = Desk()
    book = Book(desk, Lock())
    registration = register(desk, authoriser())
    registration.end(desk.now)
    desk.settle()
    assert book.statuses == [401, 200, 200]
    assert [request.headers.get("Expires") for request in desk.requests] == ["600", "600", "0"]
    assert desk.events[-1] == Unregistered(registration)


def test_2_5_unsuccessful_registration() -> None:
    desk = Desk()
    book = Book(desk, Lock())
    register(desk, authoriser("wrong"))
    assert book.statuses == [401, 401]
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.status == 401
    assert "password" in failure.reason
