"""The relay: is it there, does it take sockets, and is it the application's own?"""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask

OPEN_S = 8.0
_REFUSED, _TRY_AGAIN = 4401, 1013


def answers(scene: Scene) -> Iterator[Finding]:
    """It is healthy, and lets sockets in, for as far as its settings are right."""
    url = f"{scene.relay_http}/healthz"
    seen = ask(url)
    if seen.status == 503:
        yield warn(
            "relay",
            "it is draining: it takes no new calls",
            "Wait until its successor is up; if none comes, start one.",
        )
        return
    if seen.status != 200:
        yield fail(
            "relay",
            f"{url}: {seen}",
            "Start the relay, or correct CHAMADE_RELAY_URL: answered calls have no sound.",
        )
        return
    yield ok("relay", "healthy")
    yield _handshake(scene)


def _handshake(scene: Scene) -> Finding:
    """An agent's socket with a token that nobody issued: the relay asks the application, which
    refuses it. Any other answer tells what is between them.
    """
    from websockets.exceptions import ConnectionClosed, WebSocketException
    from websockets.sync.client import connect

    name = "relay sockets"
    try:
        url = f"{scene.config.relay_url}/media/agent/call_doctor?token=of-the-doctor"
        with connect(url, open_timeout=OPEN_S, close_timeout=1) as socket:
            socket.recv(timeout=OPEN_S)
        code, reason = 0, "it was let in"
    except ConnectionClosed as closed:
        received = closed.rcvd
        code, reason = (received.code, received.reason) if received else (1006, "cut off")
    except (WebSocketException, OSError) as error:
        return fail(
            name,
            f"no WebSocket: {error}",
            "Let what is in front of the relay pass WebSocket upgrades on.",
        )
    if code == _REFUSED:
        return ok(name, "a token of nobody's is refused, by word of the application")
    if code == _TRY_AGAIN and "did not let" in reason:
        return fail(
            name,
            f"{code} {reason}",
            "The application does not believe the relay: give the relay the CHAMADE_CONTROL_SECRET "
            "of the application (or look at its clock), and restart it.",
        )
    return fail(
        name,
        f"{code} {reason}",
        "The relay does not reach the application: correct its CHAMADE_CONTROL_URL.",
    )
