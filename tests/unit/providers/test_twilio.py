"""Tests of the requests to Twilio's REST and of every answer to them, from a stand-in server."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
import requests

from chalicelib.providers.base import (
    AskAgain,
    Connect,
    Dial,
    DialRoute,
    HangUp,
    KeepRinging,
    NotSupported,
    ProviderError,
    Reject,
    RemoteStatus,
)
from chalicelib.providers.twilio import (
    DIAL_TIMEOUT_S,
    REST_TIMEOUT_S,
    TWILIO_API,
    TwilioAccount,
    TwilioProvider,
)
from common.sip_headers import Introduction
from tests.support.ports import free_port

SID, TOKEN = "AC" + "1" * 32, "token-that-must-not-show"


class StandIn(BaseHTTPRequestHandler):
    """Answers what the test put on the server; notes what was asked."""

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = parse_qs(self.rfile.read(length).decode())
        self.server.requests.append((self.command, self.path, body, self.headers["Authorization"]))
        script = self.server.script
        status, said = script.pop(0) if script else self.server.says
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
    server.requests, server.says = [], (200, {"sid": "CA1", "status": "in-progress"})
    server.script = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def provider(api_url: str) -> TwilioProvider:
    return TwilioProvider(
        TwilioAccount("twilio", SID, TOKEN, "https://api.test/api", "wss://relay.test", api_url)
    )


def _hangings(provider: TwilioProvider):
    return [lambda each=each: provider.hang_up("CA1", answered=each) for each in (True, False)]


@pytest.fixture
def ours(twilio):
    return provider(f"http://127.0.0.1:{twilio.server_port}")


def test_a_call_is_redirected_with_a_document_of_ours(twilio, ours):
    assert ours.steer("CA1", Connect("tok"))
    method, path, body, authorization = twilio.requests[0]
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{SID}/Calls/CA1.json")
    assert "wss://relay.test/media/provider/tok" in body["Twiml"][0]
    assert base64.b64decode(authorization.split()[1]).decode() == f"{SID}:{TOKEN}"


def test_a_redirect_refused_by_twilio_is_left_to_the_next_poll(twilio, ours):
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
def test_other_refusals_are_provider_errors_without_secrets(twilio, ours, says):
    twilio.says = says
    for act in (lambda: ours.steer("CA1", HangUp()), *_hangings(ours)):
        with pytest.raises(ProviderError) as failed:
            act()
        assert TOKEN not in str(failed.value)
    assert ours.status("CA1") is RemoteStatus.UNKNOWN


def test_a_provider_that_cannot_be_reached_is_a_provider_error():
    nowhere = provider(f"http://127.0.0.1:{free_port()}")
    for act in (lambda: nowhere.steer("CA1", HangUp()), *_hangings(nowhere)):
        with pytest.raises(ProviderError):
            act()
    assert nowhere.status("CA1") is RemoteStatus.UNKNOWN


@pytest.mark.parametrize(("answered", "status"), [(True, "completed"), (False, "canceled")])
def test_hanging_up_completes_an_answered_call_cancels_another_and_accepts_an_ended_one(
    twilio, ours, answered, status
):
    twilio.says = (200, {"sid": "CA1", "status": status})
    ours.hang_up("CA1", answered=answered)
    assert [request[2] for request in twilio.requests] == [{"Status": [status]}]
    not_in_progress = (400, {"code": 21220, "message": "not in progress", "status": 400})
    for says in ((200, {"sid": "CA1", "status": "completed"}), (404, {"code": 20404})):
        twilio.says, twilio.script = says, [not_in_progress]
        ours.hang_up("CA1", answered=answered)
    ours.hang_up("CA1", answered=answered)  # 404 at once


@pytest.mark.parametrize("first", [(200, "in-progress"), (400, None)])
def test_a_call_answered_during_its_cancellation_is_completed(twilio, ours, first):
    code, status = first
    said = {"sid": "CA1", "status": status} if status else {"code": 21220, "message": "no"}
    up = (200, {"sid": "CA1", "status": "in-progress"})
    twilio.script = [(code, said)] + ([up] if status is None else [])
    ours.hang_up("CA1", answered=False)
    verbs = [(method, body.get("Status")) for method, _, body, _ in twilio.requests]
    looked = [("GET", None)] if status is None else []
    assert verbs == [("POST", ["canceled"]), *looked, ("POST", ["completed"])]


@pytest.mark.parametrize("left", ["ringing", "canceled", "queued"])
def test_a_ringing_call_is_canceled_and_never_completed(twilio, ours, left):
    twilio.says = (200, {"sid": "CA1", "status": left})
    ours.hang_up("CA1", answered=False)
    assert [body for _, _, body, _ in twilio.requests] == [{"Status": ["canceled"]}]


@pytest.mark.parametrize(("busy", "reason"), [(True, "busy"), (False, "rejected")])
def test_a_reject_document_has_no_other_verb(ours, busy, reason):
    """Any verb but a first `<Reject>` has Twilio answer the call, and bill it."""
    document = ours.document(Reject(busy=busy))
    assert document.endswith(f'<Response><Reject reason="{reason}" /></Response>')


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
def test_twilios_call_status_is_mapped_to_ours(twilio, ours, says, status):
    twilio.says = says
    assert ours.status("CA1") is status


def test_routes_of_a_dial_are_sent_in_order_with_their_numbers(twilio, ours):
    routes = (
        DialRoute("trunk_a", "00331990", "00331991"),
        DialRoute("trunk_b", "+331990", "+331992"),
    )
    ours.dial(Dial("call_1", "+331990", "+331991", 30, 600, trunk_id="trunk_a", routes=routes))
    ours.dial(Dial("call_1", "+331990", "+331991", 30, 600, trunk_id="trunk_a"))
    (_, _, several, _), (_, _, one, _) = twilio.requests
    assert (several["Byoc"], several["To"], several["From"]) == (
        ["trunk_a"], ["+331990"], ["+331991"],
    )  # fmt: skip
    assert json.loads(several["Routes"][0]) == [
        {"trunk": "trunk_a", "to": "00331990", "from": "00331991"},
        {"trunk": "trunk_b", "to": "+331990", "from": "+331992"},
    ]
    assert "Routes" not in one


def test_twilio_is_asked_to_find_out_who_answers_and_our_gateway_is_not(twilio, ours):
    theirs = provider(f"http://127.0.0.1:{twilio.server_port}")
    theirs.detects_answer = True
    for detect in ("on", "greeting_end", "off"):
        theirs.dial(Dial("call_1", "sip:+331990@a", "+331991", 30, 600, detect_answer=detect))
    ours.dial(Dial("call_1", "+331990", "+331991", 30, 600, trunk_id="t", detect_answer="on"))
    names = ("MachineDetection", "AsyncAmd", "AsyncAmdStatusCallback")
    url = "https://api.test/api/webhooks/twilio/amd?call=call_1"
    assert [[body.get(name) for name in names] for _, _, body, _ in twilio.requests] == [
        [["Enable"], ["true"], [url]],
        [["DetectMessageEnd"], ["true"], [url]],
        [None] * 3,
        [None] * 3,
    ]


def test_twilio_alone_detects_answers_and_our_gateway_alone_refers():
    both = [(each.detects_answer, each.refers) for each in map(provider, (TWILIO_API, "http://g"))]
    assert both == [(True, False), (False, True)]


def test_a_call_at_our_gateway_is_referred_and_none_at_twilio(twilio, ours):
    twilio.says = (200, {"sid": "CA1"})
    ours.refer("CA1", "+33199007777")
    method, path, body, _ = twilio.requests[0]
    assert (method, path, body) == (
        "POST", f"/2010-04-01/Accounts/{SID}/Calls/CA1.json", {"Refer": ["+33199007777"]},
    )  # fmt: skip
    twilio.says = (400, {"code": 21220, "message": "not possible now", "status": 400})
    with pytest.raises(ProviderError, match="21220"):
        ours.refer("CA1", "+33199007777")
    real = TwilioProvider(replace(ours._account, api_url=TWILIO_API))
    assert (ours.refers, real.refers) == (True, False)
    with pytest.raises(NotSupported):
        real.refer("CA1", "+33199007777")


def test_a_document_that_keeps_ringing_redirects_to_the_same_webhook(ours):
    document = ours.document(AskAgain("after-stream"))
    assert "https://api.test/api/webhooks/twilio/after-stream</Redirect>" in document


CALL_ID = "call_" + "a" * 26
ORDER = Dial(CALL_ID, "+33199001234", "+33199005678", 30, 600, trunk_id="trunk_1")


def test_a_call_is_placed_through_a_trunk_known_to_the_provider(twilio, ours):
    twilio.says = (201, {"sid": "CA7", "status": "queued"})
    assert ours.dial(ORDER) == "CA7"
    method, path, body, _ = twilio.requests[0]
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
    body = twilio.requests[0][2]
    assert (body["To"], body["SipAuthUsername"], body["SipAuthPassword"]) == (
        [uri],
        ["acct42"],
        ["pw"],
    )
    assert "Byoc" not in body


TOLD = Introduction("Zoë Ltd", headers={"X-Order": "a b&c", "User-to-User": "00;encoding=hex"})
IN_URI = "X-Order=a%20b%26c&User-to-User=00%3Bencoding%3Dhex"


def test_headers_stand_in_the_uri_and_our_gateway_gets_them_with_the_name(twilio, ours):
    twilio.says = (201, {"sid": "CA7", "status": "queued"})
    uri = "sip:+33199001234@sip.carrier.example;transport=tls"
    ours.dial(Dial(CALL_ID, uri, "+33199005678", 30, 600, introduction=TOLD))
    ours.dial(replace(ORDER, introduction=TOLD))
    by_uri, by_trunk = (request[2] for request in twilio.requests)
    assert by_uri["To"] == [f"{uri}?{IN_URI}"]
    assert not {"CallerName", "SipHeaders"} & set(by_uri)
    assert by_trunk["To"] == ["+33199001234"]
    assert (by_trunk["CallerName"], by_trunk["SipHeaders"]) == (["Zoë Ltd"], [IN_URI])


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
def test_a_refused_placement_is_a_provider_error(twilio, ours, says):
    twilio.says = says
    with pytest.raises(ProviderError) as failed:
        ours.dial(ORDER)
    assert TOKEN not in str(failed.value)
    assert len(twilio.requests) == 1  # a second attempt could ring somebody twice


def test_placing_a_call_at_an_unreachable_provider_is_a_provider_error():
    with pytest.raises(ProviderError):
        provider(f"http://127.0.0.1:{free_port()}").dial(ORDER)


def test_placing_a_call_has_a_longer_timeout_than_steering_one(twilio, ours, monkeypatch):
    waited = []
    real = requests.Session.send

    def send(session, request, **kwargs):
        waited.append(kwargs["timeout"])
        return real(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", send)
    ours.dial(ORDER)
    ours.hang_up("CA1", answered=True)
    assert waited == [DIAL_TIMEOUT_S, REST_TIMEOUT_S]


@pytest.mark.parametrize(
    ("instruction", "webhook"),
    [
        (KeepRinging(), "ringing"),
        (Connect("tok"), "after-stream"),
        (AskAgain("answered"), "answered"),
    ],
)
def test_documents_of_an_outbound_call_name_it_in_their_urls(ours, instruction, webhook):
    document = ours.document(instruction, CALL_ID)
    assert f"https://api.test/api/webhooks/twilio/{webhook}?call={CALL_ID}</Redirect>" in document


def test_secrets_do_not_show_in_representations(ours):
    assert TOKEN not in repr(ours._account)
