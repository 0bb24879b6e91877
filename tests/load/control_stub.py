"""A stand-in for the application, as far as a relay needs one: it checks the signature and lets in.

Call N has the id `call_N` and tokens as the application issues them. It answers as
docs/contracts.md says, keeps no state, and has nothing to do once a call's two legs are in.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common import control, media_token

SECRET = secrets.token_hex(16)
EXPIRES_S = 4_000_000_000
LONGEST_CALL_S = 4 * 3600


def paths(calls: int, query: str) -> Iterator[str]:
    """Yield the paths of the legs of so many calls: of each the agent's, then the provider's."""
    for number in range(calls):
        call_id = f"call_{number}"
        token = media_token.issue(SECRET, call_id, "agent", EXPIRES_S)
        yield f"/media/agent/{call_id}?token={token}&{query}"
        yield f"/media/provider/{media_token.issue(SECRET, call_id, 'provider', EXPIRES_S)}"


@contextmanager
def running() -> Iterator[str]:
    """The base URL of a stub that serves meanwhile."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        """An attach or a report."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        header = self.headers.get(control.HEADER)
        if control.verify(SECRET, self.path, body, header, int(time.time())):
            self._answer(*_answer(self.path, json.loads(body)))
        else:
            self._answer(401, {"code": "bad_signature"})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Not a word."""


def _answer(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if path == "/media/report":
        return 200, {"call": _call(body["call_id"]), "ends_at_ms": None}
    if path == "/media/facts":
        return 200, {}
    if path != "/media/attach":
        return 404, {"code": "no_such_route"}
    try:
        call_id = media_token.read(SECRET, body["token"], body["leg"], int(time.time()))
    except media_token.BadTokenError:
        return 403, {"code": "bad_token"}
    if body.get("call_id", call_id) != call_id:
        return 403, {"code": "bad_token"}
    number = int(call_id.removeprefix("call_"))
    return 200, {
        "call": _call(call_id),
        "provider_call_id": f"CA{number:032d}",
        "owner": body["relay"],
        "ends_at_ms": int((time.time() + LONGEST_CALL_S) * 1000),
    }


def _call(call_id: str) -> dict[str, Any]:
    return {"call_id": call_id, "state": "active", "end_reason": None, "direction": "inbound"}
