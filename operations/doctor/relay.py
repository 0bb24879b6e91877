"""Checks of the relay: that it answers, takes sockets, and belongs to this application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from common import media_token
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask

OPEN_S = 8.0
_BAD_TOKEN, _REFUSED = 401, 4401
_TRY_AGAIN = 1013
_NOBODYS = "call_doctor"
_LIFE_S = 60


class NoSocket(Exception):
    """The server did not upgrade the connection to a WebSocket."""


def answers(scene: Scene) -> Iterator[Finding]:
    """Check that the relay is healthy and, as far as its settings are right, lets sockets in."""
    url = f"{scene.relay_http}/healthz"
    answer = ask(url)
    if answer.status == 503:
        yield warn(
            "relay",
            "it is draining: it takes no new calls",
            "Wait until its successor is up; if none comes, start one.",
        )
        return
    if answer.status != 200:
        yield fail(
            "relay",
            f"{url}: {answer}",
            "Start the relay, or correct CHAMADE_RELAY_URL: answered calls have no sound.",
        )
        return
    yield ok("relay", "healthy")
    yield _handshake(scene)


def _handshake(scene: Scene) -> Finding:
    """Open an agent's socket with a token of a call that does not exist: the relay accepts the
    token and asks the application, which refuses it. Any other answer shows what is wrong between
    them. The relay itself refuses a token with a wrong signature.
    """
    name = "relay sockets"
    secret = scene.config.control_secret
    try:
        forged, _ = _opened(scene, secrets.token_hex(16))
        code, reason = _opened(scene, secret)
    except NoSocket as error:
        return fail(
            name,
            f"no WebSocket: {error}",
            "Let what is in front of the relay pass WebSocket upgrades on.",
        )
    if (forged, code) == (_BAD_TOKEN, _REFUSED):
        return ok(name, "a forged token is refused, and a call of nobody's by the application")
    if code == _BAD_TOKEN or (code == _TRY_AGAIN and "did not let" in reason):
        return fail(
            name,
            f"{code} {reason}",
            "Relay and application do not believe each other: give the relay the "
            "CHAMADE_CONTROL_SECRET of the application (or look at its clock), and restart it.",
        )
    if code == _TRY_AGAIN:
        return fail(
            name,
            f"{code} {reason}",
            "The relay does not reach the application: correct its CHAMADE_CONTROL_URL.",
        )
    return fail(
        name,
        f"{code} {reason}; with a forged token {forged}",
        "Something in front answers in the relay's place: correct CHAMADE_RELAY_URL.",
    )


def _opened(scene: Scene, secret: str) -> tuple[int, str]:
    """Open a socket with a token that is signed with `secret`. Returns the HTTP status of the
    refusal or the code with which the socket was closed, and the reason given. Raises NoSocket.
    """
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
    from websockets.sync.client import connect

    token = media_token.issue(secret, _NOBODYS, "agent", int(time.time()) + _LIFE_S)
    try:
        with connect(
            f"{scene.config.relay_url}/media/agent/{_NOBODYS}",
            additional_headers={"Authorization": f"Bearer {token}"},
            open_timeout=OPEN_S,
            close_timeout=1,
        ) as socket:
            socket.recv(timeout=OPEN_S)
    except InvalidStatus as refused:
        response = refused.response
        if response.status_code != _BAD_TOKEN:
            raise NoSocket(str(refused)) from None
        return response.status_code, response.body.decode(errors="replace").strip()
    except ConnectionClosed as closed:
        received = closed.rcvd
        return (received.code, received.reason) if received else (1006, "cut off")
    except (WebSocketException, OSError) as error:
        raise NoSocket(str(error)) from None
    return 0, "it was let in"
