"""A server for each test of outgoing HTTP."""

from __future__ import annotations

import pytest

from tests.unit.providers.http_server import OK, Server


@pytest.fixture
def serve():
    servers = []

    def start(answer=OK, context=None):
        act = answer if callable(answer) else lambda connection: connection.sendall(answer)
        servers.append(Server(act, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
