"""A server on loopback that answers as a test wants, and a poster that may reach it."""

from __future__ import annotations

import contextlib
import socket
import threading

from chalicelib.providers.outgoing_http import GuardedPoster

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"type":"call.ringing"}'


class Server:
    """Accepts on loopback, reads a request, and has `answer(connection)` say the rest."""

    def __init__(self, answer, context=None):
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer, self._context = answer, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            got = b""
            while not got.endswith(BODY):
                more = connection.recv(65536)
                if not more:
                    return
                got += more
            self.requests.append(got)
            self._answer(connection)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def make_poster(**settings):
    return GuardedPoster(**{"private": True, "timeout_s": 2.0, **settings})
