"""A stand-in for the application, as far as a relay needs one: it checks the signature and lets in.

Call N has the provider token `p-N`, the agent token `a-N` and the id `call_N`. It answers as
docs/contracts.md says, keeps no state, and has nothing to do once a call's two legs are in.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wire import control

SECRET = secrets.token_hex(16)


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
    if path != "/media/attach":
        return 404, {"code": "no_such_route"}
    prefix = "p" if body["leg"] == "provider" else "a"
    known = re.fullmatch(rf"{prefix}-(\d+)", body["token"])
    if known is None or body.get("call_id", f"call_{known[1]}") != f"call_{known[1]}":
        return 403, {"code": "bad_token"}
    number = int(known[1])
    return 200, {
        "call": _call(f"call_{number}"),
        "provider_call_id": f"CA{number:032d}",
        "owner": body["relay"],
        "ends_at_ms": int((time.time() + 3600) * 1000),
    }


def _call(call_id: str) -> dict[str, Any]:
    return {"call_id": call_id, "state": "active", "end_reason": None, "direction": "inbound"}
