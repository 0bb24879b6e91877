"""`python -m local.api_server`: the Chalice application behind its own local HTTP server.

Four things are changed of what `chalice local` does: Nagle's algorithm is off (it costs 40 ms a
request on a kept connection), the queue of connections is long enough for hundreds of calls at
once, and what API Gateway itself refuses (unknown paths, methods) is problem+json, as the gateway
responses of the infrastructure make it in AWS; and requests are framed strictly, so that what a
proxy in front takes for one request is one here.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    LocalChalice,
    LocalDevServer,
    LocalGatewayException,
    ThreadedHTTPServer,
)

from chalicelib import bootstrap
from chalicelib.problems import CONTENT_TYPE, Problem
from local.layout import HOST

MAX_BODY = 10 * 1024 * 1024
"""API Gateway's own limit."""


class Handler(ChaliceRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True
    timeout = 75  # idle connections go, as they do at API Gateway

    def _generic_handle(self) -> None:
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._refuse(Problem(411, "length_required", "Send a Content-Length"))
        elif int(length) > MAX_BODY:
            self._refuse(Problem(413, "too_large", "The body is too large"))
        else:
            super()._generic_handle()

    def _refuse(self, problem: Problem) -> None:
        """Answer without having read the body, so this connection can carry nothing more."""
        self.close_connection = True
        self._send_problem(problem)

    def _send_http_response_with_body(self, code: int, headers: Any, body: Any) -> None:
        # A body after HEAD would be taken for the next answer; one of 304 likewise.
        if self.command == "HEAD" or code == 304:
            self.send_response(code)
            if code != 304:
                size = len(body if isinstance(body, bytes) else body.encode())
                self.send_header("Content-Length", str(size))
            self._send_headers(headers)
        else:
            super()._send_http_response_with_body(code, headers, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle

    def __getattr__(self, name: str) -> Any:
        """Methods that nobody knows the application refuses, too: it says which ones there are."""
        if name.startswith("do_"):
            return self._generic_handle
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no HTTP that is spoken here: the library would answer with a page."""
        self._refuse(Problem(code, "bad_request", "Bad request", explain or message or ""))

    def _send_error_response(self, error: LocalGatewayException) -> None:
        # API Gateway says 403 for a path or method it does not know.
        if error.CODE == 403:
            self._send_problem(Problem(404, "no_such_route", "No such route"))
        else:
            self._send_problem(Problem(error.CODE, "refused", "Refused"))

    def _send_problem(self, problem: Problem) -> None:
        body = json.dumps(problem.document())
        self._send_http_response(problem.status, {"Content-Type": CONTENT_TYPE}, body)

    def log_message(self, *_: Any) -> None:
        """The application logs what matters."""


class Server(ThreadedHTTPServer):
    """One thread a connection."""

    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up in the middle of an answer is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until SIGTERM."""
    import app

    # Chalice keeps the current request on the app: one for all threads, unless it is this class.
    app.app.__class__ = type("ThreadedChalice", (LocalChalice, type(app.app)), {})
    # boto3's first clients must not be made by many threads at once, and the first accept need
    # not wait for Twilio's library.
    bootstrap.ports()
    importlib.import_module("twilio.rest")
    config = Config.create(chalice_stage="dev")
    server = LocalDevServer(
        app.app, config, HOST, int(os.environ["PORT"]), handler_cls=Handler, server_cls=Server
    )

    def stop(*_: Any) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    server.serve_forever()


if __name__ == "__main__":
    main()
