"""Tests that the gateway is notified of a changed trunk, and that an unreachable one delays
nothing.
"""

from __future__ import annotations

import http.server
import logging
import threading

import pytest

from chalicelib.providers.trunk_host import GatewayTrunkHost
from chalicelib.providers.twilio import TwilioAccount


@pytest.fixture
def listening():
    """A gateway that notes what it is posted; its URL and the posts."""
    posts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["content-length"])
            posts.append((self.path, self.headers["authorization"], self.rfile.read(length)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", posts
        server.shutdown()


def host_at(url):
    return GatewayTrunkHost(TwilioAccount("gateway", "AC1", "t0ken", "", "", api_url=url))


def test_the_gateway_is_told_that_a_trunk_has_changed(listening):
    url, posts = listening
    host_at(url).changed("trunk_abc")
    assert posts == [("/trunks/trunk_abc/changed", "Basic QUMxOnQwa2Vu", b"")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://127.0.0.1:9/\n"])
def test_an_unreachable_gateway_is_logged_only(url, caplog):
    with caplog.at_level(logging.WARNING):
        host_at(url).changed("trunk_abc")
    assert "gateway not told" in caplog.text
    assert "t0ken" not in caplog.text
