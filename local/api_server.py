"""`python -m local.api_server`: the Chalice application behind its own local HTTP server.

Differences from `chalice local`: Nagle's algorithm is off (it costs 40 ms a request on a kept
connection). The queue of connections is long enough for hundreds of calls at once. Refusals that
come from API Gateway itself in AWS (unknown paths, methods) are problem+json, as the gateway
responses of the infrastructure make them there. Requests are framed strictly, so that this server
and a proxy in front of it agree where a request ends. Everything that a client can hold is bounded
(connections.py).
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import resource
import signal
import sys
import threading
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    LocalChalice,
    LocalDevServer,
    LocalGatewayException,
    ThreadedHTTPServer,
)

from chalicelib import bootstrap
from chalicelib.http import MAX_BODY
from chalicelib.problems import CONTENT_TYPE, Problem, known
from local.connections import SIGNED_PATHS, Bounds, Connections, HeadTooLong, Rooms, TimedReader
from local.layout import HOST

_FILES = 4096
"""Files that the process may have open: all connections, and those to the engine."""


class Handler(ChaliceRequestHandler):
    """The handler of one connection."""

    server: Server
    rfile: Any
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Set the connection up to be read within bounds."""
        super().setup()
        self.rfile.close()
        self._reader = TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Answer one request, if it comes in time."""
        self._reader.expect_request(self.server.bounds)
        try:
            super().handle_one_request()
        except HeadTooLong:
            self.requestline, self.request_version, self.command = "", "HTTP/1.1", ""
            self._refuse(Problem(431, "bad_request", "Bad request", "The headers are too long."))

    def _generic_handle(self) -> None:
        lengths = self.headers.get_all("content-length", ["0"])
        length = lengths[0]
        digits = length.isascii() and length.isdigit()
        if "transfer-encoding" in self.headers or not digits or len(set(lengths)) > 1:
            self._refuse(
                Problem(411, "length_required", "Length required", "Send a Content-Length.")
            )
        elif len(length) > 10 or int(length) > self.server.bounds.body_bytes:
            self._refuse(known("too_large", f"At most {MAX_BODY} bytes are possible."))
        else:
            self._handle(int(length))

    def _handle(self, size: int) -> None:
        with self.server.rooms.body(size) as taken:
            if not taken:
                self._refuse(_busy())
                return
            self._reader.expect_body(size, self.server.bounds)
            headers, body = self._parse_payload()
            if len(body or b"") < size:
                self.close_connection = True  # the client is gone
                return
            answer = self._answer(headers, body)
        self._send(answer)

    def _answer(self, headers: Any, body: bytes | None) -> dict[str, Any] | Problem:
        """Return the application's answer, or a refusal if this request gets no turn in time."""
        with self.server.rooms.turn(self.path) as taken:
            if not taken:
                return _busy()
            with self.server.connections.answering(self.connection):
                try:
                    answer: dict[str, Any] = self.local_gateway.handle_request(
                        method=self.command, path=self.path, headers=headers, body=body
                    )
                except LocalGatewayException as error:
                    # API Gateway says 403 for a path or method it does not know.
                    if error.CODE == 403:
                        return known("no_such_route")
                    return Problem(error.CODE, "refused", "Refused")
        if self.path.startswith(SIGNED_PATHS) and answer["statusCode"] < 400:
            self.server.connections.mark_signed(self.connection)
        return answer

    def _send(self, answer: dict[str, Any] | Problem) -> None:
        """Send an answer; close the connection if the client does not read it."""
        self.connection.settimeout(self.server.bounds.send_s)
        if isinstance(answer, Problem):
            self._send_problem(answer)
            return
        headers = {**answer["headers"], **answer["multiValueHeaders"]}
        body = self._handle_binary(answer)["body"]
        self._send_http_response(answer["statusCode"], headers, body)

    def _refuse(self, problem: Problem) -> None:
        """Answer without having read the body, so this connection can carry nothing more."""
        self.close_connection = True
        self._send(problem)

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
        """Let the application refuse unknown methods: its answer lists the allowed ones."""
        if name.startswith("do_"):
            return self._generic_handle
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request with our own document; the library would send an HTML page."""
        self._refuse(Problem(code, "bad_request", "Bad request", explain or message or ""))

    def _send_problem(self, problem: Problem) -> None:
        body = json.dumps(problem.document())
        headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
        self._send_http_response(problem.status, headers, body)

    def log_message(self, *_: Any) -> None:
        """Write nothing: the application logs what matters."""


def _busy() -> Problem:
    return known("unavailable", "Too many requests at a time; come again.", retry_after_s=1)


class Server(ThreadedHTTPServer):
    """A server with one thread for each connection."""

    request_queue_size = 1024

    def __init__(self, *args: Any, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.connections = Connections(self.bounds.connections)
        self.rooms = Rooms(self.bounds)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a new connection; close another connection if there are too many."""
        if self.connections.add(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self.connections.remove(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closes the connection in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def server_of(app: Chalice, port: int, bounds: Bounds | None = None) -> LocalDevServer:
    """Make the server of an application, on loopback."""
    # Chalice keeps the current request on the app, one for all threads. This class keeps one for
    # each thread.
    app.__class__ = type("ThreadedChalice", (LocalChalice, type(app)), {})
    return LocalDevServer(
        app,
        Config.create(chalice_stage="dev"),
        HOST,
        port,
        handler_cls=Handler,
        server_cls=functools.partial(Server, bounds=bounds),
    )


def main() -> None:
    """Serve until SIGTERM."""
    import app

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    # Many threads must not make boto3's first clients at once, and the first accept must not wait
    # for the import of Twilio's library.
    bootstrap.dependencies()
    importlib.import_module("twilio.rest")
    server = server_of(app.app, int(os.environ["PORT"]))

    def stop(*_: Any) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor stops this process
    server.serve_forever()


if __name__ == "__main__":
    main()
