"""Calling a number of one's own from a browser, and what an installation offers: over REST."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import bootstrap
from chalicelib.domain.line import Line
from chalicelib.services import dids, numbers, ring
from tests.support.http import GATEWAY_CONTROL_SECRET
from wire import call_ticket


def asked(api, to, key=None):
    return api.call("POST", "/api/test-call", {"to": to}, key=key)


def code(answer):
    return answer.status_code, answer.json_body["code"]


def ticket_in(world, answer):
    [text] = parse_qs(urlsplit(answer.json_body["url"]).query)["ticket"]
    return call_ticket.read(GATEWAY_CONTROL_SECRET, text, world.clock() // 1000)


def test_a_number_of_ones_own_can_be_called(api, world):
    answer = asked(api, world.number)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    shown = answer.json_body
    assert shown["url"].startswith("wss://gateway.test/legs/call?ticket=")
    del shown["url"]
    assert shown == {
        "expires_at": shown["expires_at"],
        "to": world.number,
        "from": "client:dashboard",
        "format": "mulaw",
        "sample_rate": 8000,
        "frame_duration_ms": 20,
        "frame_bytes": 160,
    }
    ticket = ticket_in(world, answer)
    assert (ticket.to, ticket.from_, ticket.trunk_id) == (world.number, "client:dashboard", None)
    assert ticket.expires_s == world.clock() // 1000 + 60


def test_a_number_of_ones_trunk_is_called_through_that(api, world):
    trunk = world.registered()
    world.new_did("+33199005555")
    ticket = ticket_in(world, asked(api, "+33199005555"))
    assert (ticket.to, ticket.trunk_id) == ("+33199005555", trunk.trunk_id)


def test_anothers_number_and_none_are_not_found(api, world):
    _, key = world.new_account()
    assert code(asked(api, world.number, key)) == (404, "number_not_found")
    assert code(asked(api, "+33199009999")) == (404, "number_not_found")
    world.registered()
    assert code(asked(api, "+33199009999")) == (404, "number_not_found")
    assert code(asked(api, "nonsense")) == (422, "invalid")


def test_a_number_at_another_provider_cannot_be_called_from_here(api, world):
    world.ports.lines.add_to_pool(Line(e164="+15558887777", country="ZX", provider="twilio"))
    e164 = numbers.activate(world.ports, world.account_id, "ZX").e164
    assert code(asked(api, e164)) == (409, "test_calls_unavailable")


def test_without_a_gateway_for_browsers_there_are_no_test_calls(api, world, monkeypatch):
    ports = replace(bootstrap.ports(), test_calls=None)
    monkeypatch.setattr(bootstrap, "ports", lambda: ports)
    assert code(asked(api, world.number)) == (409, "test_calls_unavailable")
    assert api.call("GET", "/api/service", key="").json_body["test_calls"] is False


def test_an_account_makes_so_many_test_calls_a_minute(api, world):
    assert {asked(api, world.number).status_code for _ in range(20)} == {201}
    refused = asked(api, world.number)
    assert code(refused) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(("caller", "noted"), [("client:dashboard", False), ("+33612345678", True)])
def test_a_test_call_does_not_show_whose_a_number_is(world, caller, noted):
    """Or anybody could call from any number: a carrier has to have brought a call to it."""
    trunk = world.registered()
    world.new_did("+33199005556")
    incoming = replace(world.incoming("+33199005556"), from_=caller, trunk_id=trunk.trunk_id)
    ring.receive(world.ports, incoming)
    assert world.call_of(incoming).line == "+33199005556"
    found = dids.owned(world.ports, world.account_id, "+33199005556")
    assert (found.called_at is not None) == noted


def test_a_test_call_that_ends_unseen_does_not_either(world):
    trunk = world.registered()
    world.new_did("+33199005557")
    incoming = replace(
        world.incoming("+33199005557"), from_="client:dashboard", trunk_id=trunk.trunk_id
    )
    ring.caller_gone(world.ports, incoming, failed=False)
    assert world.call_of(incoming).end_reason == "caller_hangup"
    assert dids.owned(world.ports, world.account_id, "+33199005557").called_at is None


def test_a_test_call_is_seen_as_any_other(api, world):
    incoming = replace(world.incoming(), from_="client:dashboard")
    form = {"CallSid": incoming.provider_call_id, "From": incoming.from_, "To": incoming.to}
    assert "<Redirect" in api.webhook("voice", form).body.decode()
    [call] = [
        each
        for each in api.call("GET", "/api/calls").json_body["calls"]
        if each["provider_call_id"] == incoming.provider_call_id
    ]
    assert (call["from"], call["to"], call["state"]) == (
        "client:dashboard", world.number, "ringing",
    )  # fmt: skip


def test_what_there_is_here_is_said_without_a_key(api, world):
    world.ports.lines.add_to_pool(Line(e164="+33199000001", country="FR", provider="gateway"))
    offered = api.call("GET", "/api/service", key="").json_body
    assert offered["sign_up"] == "open"
    assert "FR" in offered["countries"]
    assert offered["countries"] == sorted(set(offered["countries"]))
    assert offered["trunk_providers"] == ["gateway"]
    assert offered["test_calls"] is True
    assert offered["version"] == "0.1.0"


def test_what_the_operator_has_not_set_up_is_not_offered(api, world, monkeypatch):
    def offered(**changes):
        ports = replace(bootstrap.ports(), **changes)
        with monkeypatch.context() as patch:
            patch.setattr(bootstrap, "ports", lambda: ports)
            return api.call("GET", "/api/service", key="").json_body

    both = {"gateway": None, "twilio": None}
    assert offered(providers=both)["trunk_providers"] == ["gateway"]
    assert offered(providers=both, twilio_sip_domain="x.sip.twilio.com")["trunk_providers"] == [
        "gateway", "twilio",
    ]  # fmt: skip
    assert offered(vault=None)["trunk_providers"] == []
    assert offered(sign_up_open=False)["sign_up"] == "closed"
