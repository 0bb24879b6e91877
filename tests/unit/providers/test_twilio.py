"""Twilio's REST as the application uses it: every answer it may give, from a stand-in server."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
import requests

from chalicelib.providers.base import (
    AskAgain,
    Connect,
    Dial,
    HangUp,
    KeepRinging,
    ProviderError,
    RemoteStatus,
)
from chalicelib.providers.twilio import (
    DIAL_TIMEOUT_S,
    REST_TIMEOUT_S,
    TwilioAccount,
    TwilioProvider,
)
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


CALL_ID = "call_" + "a" * 26
ORDER = Dial(CALL_ID, "+33199001234", "+33199005678", 30, 600, trunk_id="trunk_1")


def test_a_call_is_placed_through_a_trunk_that_the_provider_knows(twilio, ours):
    twilio.says = (201, {"sid": "CA7", "status": "queued"})
    assert ours.dial(ORDER) == "CA7"
    method, path, body, _ = twilio.asked[0]
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{SID}/Calls.json")
    assert body == {
        "To": ["+33199001234"],
        "From": ["+33199005678"],
        "Byoc": ["trunk_1"],
        "Url": [f"https://api.test/api/webhooks/twilio/answered?call={CALL_ID}"],
        "StatusCallback": [f"https://api.test/api/webhooks/twilio/status?call={CALL_ID}"],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "Timeout": ["30"],
        "TimeLimit": ["610"],
    }


def test_a_call_is_placed_by_uri_with_the_trunks_credentials(twilio, ours):
    twilio.says = (201, {"sid": "CA7", "status": "queued"})
    uri = "sip:+33199001234@sip.carrier.example:5061;transport=tls"
    ours.dial(Dial(CALL_ID, uri, "+33199005678", 30, 600, username="acct42", password="pw"))
    body = twilio.asked[0][2]
    assert (body["To"], body["SipAuthUsername"], body["SipAuthPassword"]) == (
        [uri],
        ["acct42"],
        ["pw"],
    )
    assert "Byoc" not in body


@pytest.mark.parametrize(
    "says",
    [
        (400, {"code": 21215, "message": "Geo permission", "status": 400}),
        (401, {"code": 20003, "message": "Authenticate", "status": 401}),
        (429, {"code": 20429, "message": "too many", "status": 429}),
        (502, b"<html>bad gateway</html>"),
        (201, {"status": "queued"}),
    ],
)
def test_a_call_that_was_not_placed_is_a_provider_error(twilio, ours, says):
    twilio.says = says
    with pytest.raises(ProviderError) as failed:
        ours.dial(ORDER)
    assert TOKEN not in str(failed.value)
    assert len(twilio.asked) == 1  # a second attempt could ring somebody twice


def test_a_provider_that_is_not_there_places_no_call():
    with pytest.raises(ProviderError):
        provider(f"http://127.0.0.1:{free_port()}").dial(ORDER)


def test_a_call_takes_longer_to_place_than_to_steer(twilio, ours, monkeypatch):
    waited = []
    real = requests.Session.send

    def send(session, request, **kwargs):
        waited.append(kwargs["timeout"])
        return real(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", send)
    ours.dial(ORDER)
    ours.hang_up("CA1")
    assert waited == [DIAL_TIMEOUT_S, REST_TIMEOUT_S]


@pytest.mark.parametrize(
    ("instruction", "webhook"),
    [
        (KeepRinging(), "ringing"),
        (Connect("tok"), "after-stream"),
        (AskAgain("answered"), "answered"),
    ],
)
def test_documents_of_a_dialled_call_lead_back_to_it(ours, instruction, webhook):
    document = ours.document(instruction, CALL_ID)
    assert f"https://api.test/api/webhooks/twilio/{webhook}?call={CALL_ID}</Redirect>" in document


def test_secrets_do_not_show_in_representations(ours):
    assert TOKEN not in repr(ours._account)
