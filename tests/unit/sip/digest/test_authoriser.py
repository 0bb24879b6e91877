"""Requests that are challenged: registrations and calls with an account."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.digest.challenge import parameters
from gateway.sip.events import Ended, Established, NotRegistered, Registered
from gateway.sip.exchange import MAX_CHALLENGES, NotAuthorised
from gateway.sip.registration import Registrar
from gateway.sip.syntax.message import Request, Response, respond
from tests.unit.sip.network import Network, Sound, brief
from tests.unit.sip.test_registration import FLOW, Desk, grant

PASSWORD = "open sesame"


def authoriser(password: str = PASSWORD) -> DigestAuthoriser:
    return DigestAuthoriser("33187654321", password, bytes)


class Lock:
    """A registrar that wants MD5 credentials with qop=auth, and gives each nonce once."""

    def __init__(self) -> None:
        self.nonces = itertools.count(1)
        self.given = ""

    def __call__(self, request: Request) -> Response:
        if self.is_open_for(request):
            return grant(request)
        self.given = f"nonce{next(self.nonces)}"
        challenge = f'Digest realm="carrier", nonce="{self.given}", qop="auth", algorithm=MD5'
        return respond(request, 401, headers={"WWW-Authenticate": challenge})

    def is_open_for(self, request: Request) -> bool:
        header = request.headers.get("Authorization").partition(" ")[2]
        if not header:
            return False
        given = parameters(header)
        ha1 = md5(f"33187654321:carrier:{PASSWORD}")
        ha2 = md5(f"{request.method}:{given['uri']}")
        wanted = md5(f"{ha1}:{self.given}:{given['nc']}:{given['cnonce']}:{given['qop']}:{ha2}")
        return given["nonce"] == self.given and given["response"] == wanted


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def register(desk: Desk, password: str = PASSWORD) -> None:
    registrar = Registrar(
        uri="sip:carrier.example", aor="sip:33187654321@carrier.example", flow=FLOW, user="c7"
    )
    desk.agent.register(registrar, desk.now, authoriser(password))
    desk.settle()


def test_a_challenge_is_answered_in_the_same_breath(desk: Desk) -> None:
    desk.answer = Lock()
    register(desk)
    assert [type(event) for event in desk.events] == [Registered]
    assert [request.cseq.number for request in desk.requests] == [1, 2]
    assert len({request.via.branch for request in desk.requests}) == 2


def test_the_next_refresh_signs_with_the_nonce_that_is_known(desk: Desk) -> None:
    desk.answer = Lock()
    register(desk)
    desk.wait(600)
    assert len(desk.requests) == 3
    assert "nc=00000002" in desk.requests[2].headers.get("Authorization")


def test_a_wrong_password_is_told_as_such_and_not_tried_at_once_again(desk: Desk) -> None:
    desk.answer = Lock()
    register(desk, "guess")
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert failure.status == 401
    assert "password" in failure.reason
    assert "guess" not in failure.reason
    assert len(desk.requests) == 2


def test_an_algorithm_that_is_not_spoken_is_named(desk: Desk) -> None:
    challenge = 'Digest realm="ims", nonce="x", algorithm=AKAv1-MD5'
    desk.answer = lambda request: respond(request, 401, headers={"WWW-Authenticate": challenge})
    register(desk)
    (failure,) = desk.events
    assert isinstance(failure, NotRegistered)
    assert "AKAv1-MD5" in failure.reason
    assert len(desk.requests) == 1


def test_a_registrar_that_challenges_for_ever_is_given_up(desk: Desk) -> None:
    nonces = itertools.count()
    desk.answer = lambda request: respond(
        request,
        401,
        headers={"WWW-Authenticate": f'Digest realm="r{next(nonces)}", nonce="n"'},
    )
    register(desk)
    assert len(desk.requests) <= 6
    assert isinstance(desk.events[-1], NotRegistered)


def test_a_challenged_call_goes_on_with_credentials_in_invite_ack_and_bye(net: Network) -> None:
    challenges: list[bytes] = []

    def asks(sender: str, message: Request | Response) -> bool:
        if brief(message) != "INVITE" or "Proxy-Authorization" in message.headers:
            return False
        value = 'Digest realm="carrier", nonce="n", qop="auth", algorithm=MD5'
        assert isinstance(message, Request)
        answer = respond(message, 407, tag="proxy", headers={"Proxy-Authenticate": value})
        challenges.append(bytes(answer))
        return True

    net.loses = asks
    out = net.dial(authoriser=authoriser())
    net.alice.agent.receive(challenges.pop(), net.alice.flow_to(net.bob.address), net.now)
    net.settle()
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.settle()
    assert net.alice.one(Established).call is out
    invite, ack = net.last("INVITE"), net.last("ACK")
    assert invite.headers.get("Proxy-Authorization")
    assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
    out.hangup(net.now)
    net.settle()
    assert "nc=00000002" in net.last("BYE").headers.get("Proxy-Authorization")
    assert net.bob.of(Ended)


@pytest.mark.parametrize("challenge", ["Digest realm=a\\, nonce=n", "Digest realm=a, nonce=\\"])
def test_a_backslash_without_quotes_does_not_spoil_our_credentials(challenge: str) -> None:
    mine, request = authoriser(), Request("REGISTER", "sip:carrier.example")
    refused = Response(401, "Unauthorized")
    refused.headers.put("WWW-Authenticate", challenge)
    mine.answer(request, refused)
    assert parameters(request.headers.get("Authorization").partition(" ")[2])["uri"]
    with pytest.raises(NotAuthorised, match="with this password"):
        mine.answer(request, refused)


def test_a_far_end_that_asks_for_ever_new_credentials_is_given_up(desk: Desk) -> None:
    realms = itertools.count(1)
    desk.answer = lambda request: respond(
        request,
        401,
        headers={"WWW-Authenticate": f'Digest realm="r{next(realms)}", nonce="n"'},
    )
    register(desk)
    assert len(desk.requests) == MAX_CHALLENGES + 1
    [failed] = desk.events
    assert isinstance(failed, NotRegistered)
    assert failed.reason == f"the far end asked {MAX_CHALLENGES + 1} times for credentials"
