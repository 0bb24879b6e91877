"""Tests of test calls from a browser, and of the installation's features, over REST."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import bootstrap
from chalicelib.domain.line import Line
from chalicelib.domain.version import VERSION
from chalicelib.services.call import inbound
from chalicelib.services.line import dids, numbers
from common import call_ticket
from tests.support.http import GATEWAY_CONTROL_SECRET, problem
from tests.support.world import with_settings


def place_test_call(api, to, key=None):
    return api.call("POST", "/api/test-call", {"to": to}, key=key)


def ticket_in(world, answer):
    [text] = parse_qs(urlsplit(answer.json_body["url"]).query)["ticket"]
    return call_ticket.read(GATEWAY_CONTROL_SECRET, text, world.clock() // 1000)


def test_an_accounts_own_number_can_be_called(api, world):
    answer = place_test_call(api, world.number)
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


def test_a_number_of_the_accounts_trunk_is_called_through_the_trunk(api, world):
    trunk = world.register_trunk()
    world.new_did("+33199005555")
    ticket = ticket_in(world, place_test_call(api, "+33199005555"))
    assert (ticket.to, ticket.trunk_id) == ("+33199005555", trunk.trunk_id)


def test_a_number_of_a_named_trunk_is_called_through_that_trunk(api, world):
    world.register_trunk()
    second = world.register_trunk(name="second")
    world.new_did("+33199005556", name="second")
    ticket = ticket_in(world, place_test_call(api, "+33199005556"))
    assert (ticket.to, ticket.trunk_id) == ("+33199005556", second.trunk_id)


def test_another_accounts_number_and_an_unknown_one_are_not_found(api, world):
    _, key = world.new_account()
    assert problem(place_test_call(api, world.number, key)) == (404, "number_not_found")
    assert problem(place_test_call(api, "+33199009999")) == (404, "number_not_found")
    world.register_trunk()
    answer = place_test_call(api, "+33199009999")
    assert problem(answer) == (404, "number_not_found")
    assert answer.json_body["detail"].startswith(
        "It is none of your routing numbers, and none of your trunk's numbers. "
    )
    assert problem(place_test_call(api, "nonsense")) == (422, "invalid")


def test_a_number_at_another_provider_cannot_be_called(api, world):
    world.stores.lines.add_to_pool(Line(e164="+15558887777", country="ZX", provider="twilio"))
    e164 = numbers.activate(world.deps, world.account_id, "ZX").e164
    assert problem(place_test_call(api, e164)) == (409, "test_calls_unavailable")


def test_test_calls_are_unavailable_without_a_gateway_for_browsers(api, world, monkeypatch):
    deps = replace(bootstrap.dependencies(), test_calls=None)
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    assert problem(place_test_call(api, world.number)) == (409, "test_calls_unavailable")
    assert api.call("GET", "/api/service", key="").json_body["test_calls"] is False


def test_test_calls_a_minute_are_limited(api, world):
    assert {place_test_call(api, world.number).status_code for _ in range(20)} == {201}
    refused = place_test_call(api, world.number)
    assert problem(refused) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(("caller", "noted"), [("client:dashboard", False), ("+33612345678", True)])
def test_a_test_call_does_not_mark_a_number_as_called(world, caller, noted):
    """Or anybody could call from any number: a carrier has to have brought a call to it."""
    trunk = world.register_trunk()
    world.new_did("+33199005556")
    incoming = replace(world.incoming("+33199005556"), from_=caller, trunk_id=trunk.trunk_id)
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).line == "+33199005556"
    found = dids.owned(world.deps, world.account_id, "+33199005556")
    assert (found.called_at is not None) == noted


def test_a_test_call_that_ends_before_its_webhook_does_not_mark_a_number_as_called(world):
    trunk = world.register_trunk()
    world.new_did("+33199005557")
    incoming = replace(
        world.incoming("+33199005557"), from_="client:dashboard", trunk_id=trunk.trunk_id
    )
    inbound.caller_gone(world.deps, incoming, failed=False)
    assert world.call_of(incoming).end_reason == "caller_hangup"
    assert dids.owned(world.deps, world.account_id, "+33199005557").called_at is None


def test_a_test_call_is_listed_like_any_other(api, world):
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


def test_the_installations_features_are_readable_without_a_key(api, world):
    world.stores.lines.add_to_pool(Line(e164="+33199000001", country="FR", provider="gateway"))
    offered = api.call("GET", "/api/service", key="").json_body
    assert offered["sign_up"] == "open"
    assert "FR" in offered["countries"]
    assert offered["countries"] == sorted(set(offered["countries"]))
    assert offered["trunk_providers"] == ["gateway"]
    assert offered["test_calls"] is True
    assert offered["version"] == VERSION


def test_features_that_are_not_set_up_are_not_offered(api, world, monkeypatch):
    def offered(settings=None, **changes):
        deps = with_settings(replace(bootstrap.dependencies(), **changes), **(settings or {}))
        with monkeypatch.context() as patch:
            patch.setattr(bootstrap, "dependencies", lambda: deps)
            return api.call("GET", "/api/service", key="").json_body

    both = {"gateway": None, "twilio": None}
    assert offered(providers=both)["trunk_providers"] == ["gateway"]
    domain = {"twilio_sip_domain": "x.sip.twilio.com"}
    with_twilio = offered(providers=both, settings=domain)
    assert with_twilio["trunk_providers"] == ["gateway", "twilio"]
    assert offered(vault=None)["trunk_providers"] == []
    assert offered(settings={"sign_up_open": False})["sign_up"] == "closed"
