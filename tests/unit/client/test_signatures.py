"""Tests of the verification of webhooks and handshakes, against the code that signs them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chalicelib.domain.agent import handshake_headers
from chamade import BadSignature, agent, webhooks
from tests.unit.client.conftest import CALL

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(32)).decode()
NOW = 1_790_000_000
BODY = json.dumps(
    {"type": "call.ringing", "timestamp": "2026-11-22T15:36:40.011Z", "event_id": "evt_1",
     "call_id": CALL["call_id"], "version": 1, "data": {"call": CALL}}
)  # fmt: skip


def signed(body: str = BODY, *secrets: str, at: int = NOW) -> dict[str, str]:
    when = datetime.fromtimestamp(at, UTC)
    signatures = [Webhook(one).sign("evt_1", when, body) for one in secrets or (SECRET,)]
    return {
        "Webhook-Id": "evt_1",
        "webhook-timestamp": str(at),
        "WEBHOOK-SIGNATURE": " ".join(signatures),
    }


def test_a_signature_of_the_reference_library_is_accepted():
    event = webhooks.verify(SECRET, signed(), BODY, now=NOW + 10)
    assert (event.event_id, event.type, event.call_id) == ("evt_1", "call.ringing", CALL["call_id"])
    assert event.call.from_ == CALL["from"]
    assert webhooks.verify(SECRET, signed(), BODY.encode(), now=NOW) == event


def test_either_signature_is_accepted_during_a_rotation():
    headers = signed(BODY, OLD, SECRET)
    assert webhooks.verify(SECRET, headers, BODY, now=NOW)
    assert webhooks.verify(OLD, headers, BODY, now=NOW)
    headers["WEBHOOK-SIGNATURE"] = "v1a,xxx v2,yyy " + headers["WEBHOOK-SIGNATURE"]
    assert webhooks.verify(SECRET, headers, BODY, now=NOW)


@pytest.mark.parametrize("off", [-301, 301, 10**9])
def test_old_and_future_timestamps_are_refused(off):
    with pytest.raises(BadSignature, match="clock"):
        webhooks.verify(SECRET, signed(at=NOW + off), BODY, now=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_each_header_is_required_and_signed(name):
    headers = signed()
    kept = headers.pop(name)
    with pytest.raises(BadSignature, match="missing"):
        webhooks.verify(SECRET, headers, BODY, now=NOW)
    with pytest.raises(BadSignature):
        webhooks.verify(SECRET, {**headers, name: kept + "x"}, BODY, now=NOW)


@given(st.binary(max_size=60), st.text(max_size=60))
def test_malformed_signatures_are_refused(body, signature):
    with pytest.raises(BadSignature):
        webhooks.verify(SECRET, {**signed(), "WEBHOOK-SIGNATURE": signature}, body, now=NOW)
    with pytest.raises(BadSignature):
        webhooks.verify(SECRET, signed(), body, now=NOW)


def test_another_secret_is_refused_and_a_malformed_one_reported():
    with pytest.raises(BadSignature):
        webhooks.verify(OLD, signed(), BODY, now=NOW)
    with pytest.raises(ValueError, match="whsec_"):
        webhooks.verify("whsec_!!", signed(), BODY, now=NOW)


AGENT_URL = "wss://agent.example/calls?tenant=1"


def test_a_handshake_signed_by_the_api_is_accepted():
    headers = handshake_headers("token", AGENT_URL, "call_1", NOW)
    assert agent.verify("token", AGENT_URL, headers, now=NOW + 299) == "call_1"
    lower = {name.lower(): value for name, value in headers.items()}
    assert agent.verify("token", AGENT_URL, lower, now=NOW) == "call_1"


@pytest.mark.parametrize(
    "change",
    [{"X-Chamade-Call-Id": "call_2"}, {"X-Chamade-Timestamp": str(NOW + 1)},
     {"X-Chamade-Signature": "v1=00"}, {"X-Twilio-Signature": "AAAA"},
     {"X-Chamade-Signature": "é"}],
)  # fmt: skip
def test_each_part_of_a_handshake_is_required(change):
    headers = {**handshake_headers("token", AGENT_URL, "call_1", NOW), **change}
    with pytest.raises(BadSignature):
        agent.verify("token", AGENT_URL, headers, now=NOW)


def test_a_handshake_of_another_url_token_or_time_is_refused():
    headers = handshake_headers("token", AGENT_URL, "call_1", NOW)
    for token, url, now in [
        ("token", "wss://agent.example/calls", NOW),
        ("other", AGENT_URL, NOW),
        ("token", AGENT_URL, NOW + 7 * 86400),
    ]:
        with pytest.raises(BadSignature):
            agent.verify(token, url, headers, now=now)
    for name in headers:
        with pytest.raises(BadSignature, match="missing"):
            agent.verify("token", AGENT_URL, {k: v for k, v in headers.items() if k != name})
