"""Twilio's REST as the application uses it: every answer it may give, from a stand-in server."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from chalicelib.providers.base import AskAgain, Connect, HangUp, ProviderError, RemoteStatus
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from tests.support.engine import free_port

SID, TOKEN = "AC" + "1" * 32, "token-that-must-not-show"


class StandIn(BaseHTTPRequestHandler):
    """Answers what the test put on the server; notes what was asked."""

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = parse_qs(self.rfile.read(length).decode())
        self.server.asked.append((self.command, self.path, body, self.headers["Authorization"]))
        status, said = self.server.says
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = _answer

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def twilio():
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.asked, server.says = [], (200, {"sid": "CA1", "status": "in-progress"})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def provider(api_url: str) -> TwilioProvider:
    return TwilioProvider(
        TwilioAccount("twilio", SID, TOKEN, "https://api.test/api", "wss://relay.test", api_url)
    )


@pytest.fixture
def ours(twilio):
    return provider(f"http://127.0.0.1:{twilio.server_port}")


def test_a_call_is_redirected_with_a_document_of_ours(twilio, ours):
    assert ours.steer("CA1", Connect("tok"))
    method, path, body, authorization = twilio.asked[0]
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{SID}/Calls/CA1.json")
    assert "wss://relay.test/media/provider/tok" in body["Twiml"][0]
    assert base64.b64decode(authorization.split()[1]).decode() == f"{SID}:{TOKEN}"


def test_a_call_that_is_not_in_progress_is_left_to_its_polls(twilio, ours):
    twilio.says = (400, {"code": 21220, "message": "Invalid call state", "status": 400})
    assert ours.steer("CA1", Connect("tok")) is False


@pytest.mark.parametrize(
    "says",
    [
        (500, {"code": 20500, "message": "oops", "status": 500}),
        (429, {"code": 20429, "message": "too many", "status": 429}),
        (502, b"<html>bad gateway</html>"),
    ],
)
def test_other_refusals_are_provider_errors_that_hold_no_secret(twilio, ours, says):
    twilio.says = says
    for act in (lambda: ours.steer("CA1", HangUp()), lambda: ours.hang_up("CA1")):
        with pytest.raises(ProviderError) as failed:
            act()
        assert TOKEN not in str(failed.value)
    assert ours.status("CA1") is RemoteStatus.UNKNOWN


def test_a_provider_that_cannot_be_reached_is_a_provider_error():
    nowhere = provider(f"http://127.0.0.1:{free_port()}")
    for act in (lambda: nowhere.steer("CA1", HangUp()), lambda: nowhere.hang_up("CA1")):
        with pytest.raises(ProviderError):
            act()
    assert nowhere.status("CA1") is RemoteStatus.UNKNOWN


def test_hanging_up_completes_the_call_and_an_ended_one_is_no_error(twilio, ours):
    ours.hang_up("CA1")
    assert twilio.asked[0][2] == {"Status": ["completed"]}
    for says in (
        (404, {"code": 20404, "message": "not found", "status": 404}),
        (400, {"code": 21220, "message": "not in progress", "status": 400}),
    ):
        twilio.says = says
        ours.hang_up("CA1")


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ((200, {"sid": "CA1", "status": "ringing"}), RemoteStatus.LIVE),
        ((200, {"sid": "CA1", "status": "in-progress"}), RemoteStatus.LIVE),
        ((200, {"sid": "CA1", "status": "completed"}), RemoteStatus.OVER),
        ((200, {"sid": "CA1", "status": "no-answer"}), RemoteStatus.OVER),
        ((404, {"code": 20404, "message": "not found", "status": 404}), RemoteStatus.OVER),
    ],
)
def test_how_the_provider_sees_a_call(twilio, ours, says, status):
    twilio.says = says
    assert ours.status("CA1") is status


def test_asking_again_goes_to_the_same_webhook(ours):
    document = ours.document(AskAgain("after-stream"))
    assert "https://api.test/api/webhooks/twilio/after-stream</Redirect>" in document


def test_secrets_do_not_show_in_representations(ours):
    assert TOKEN not in repr(ours._account)
