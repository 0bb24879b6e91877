"""Tests of provider webhooks: the signature first, then the documents."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.call import public_view
from chalicelib.providers.twilio_webhooks import MAX_FIELD, update_of
from chalicelib.services import inbox
from chalicelib.services.call import call_control
from chalicelib.services.call.relay_news import told_to_relay
from chalicelib.services.operator import account_admin
from common.sip_headers import fault, name_fault
from tests.support.engine import everything_in


def form(world, **more):
    return {
        "CallSid": world.sid(),
        "AccountSid": "AC" + "0" * 32,
        "From": "+33612345678",
        "To": world.number,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "FromCity": "",
        **more,
    }


def verbs(response):
    return [(verb.tag, verb.attrib, verb.text) for verb in ElementTree.fromstring(response.body)]


def test_a_ringing_call_is_answered_with_pause_and_redirect(api, world):
    answered = api.webhook("voice", form(world))
    assert answered.status_code == 200
    assert answered.headers["Content-Type"] == "text/xml"
    assert verbs(answered) == [
        ("Pause", {"length": "1"}, None),
        ("Redirect", {"method": "POST"}, "https://api.test/api/webhooks/gateway/ringing"),
    ]


def test_an_accepted_call_is_connected_to_the_relay(api, world):
    post = form(world)
    api.webhook("voice", post)
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    world.provider.strict = True
    call_control.accept(world.deps, world.account_id, call.call_id)
    document = ElementTree.fromstring(api.webhook("ringing", post).body)
    stream = document.find("Connect/Stream")
    assert stream.attrib["url"].startswith(
        f"wss://relay.test/media/provider/{call.call_id}.provider."
    )
    assert "?" not in stream.attrib["url"]
    assert document[1].text == "https://api.test/api/webhooks/gateway/after-stream"
    again = ElementTree.fromstring(api.webhook("after-stream", post).body)
    assert again.find("Connect/Stream") is not None


def test_a_declined_call_is_rejected_and_a_foreign_number_too(api, world):
    post = form(world)
    api.webhook("voice", post)
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    call_control.decline(world.deps, world.account_id, call.call_id)
    declined = api.webhook("ringing", post)
    assert verbs(declined)[0] == ("Reject", {"reason": "busy"}, None)
    unknown = api.webhook("voice", form(world, To="+15559999999"))
    assert verbs(unknown)[0] == ("Reject", {"reason": "rejected"}, None)


def test_a_status_post_of_the_caller_s_hang_up_ends_the_call(api, world):
    post = form(world)
    api.webhook("voice", post)
    assert api.webhook("status", {**post, "CallStatus": "canceled"}).status_code == 204
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    assert call.end_reason == "caller_hangup"
    assert verbs(api.webhook("ringing", post)) == [("Reject", {"reason": "busy"}, None)]


@pytest.mark.parametrize(
    ("webhook", "service"), [("voice", "receive"), ("ringing", "poll"), ("after-stream", "resume")]
)
def test_an_internal_error_is_answered_with_a_retry_after_one_second(
    api, world, monkeypatch, webhook, service
):
    monkeypatch.setattr(f"chalicelib.services.call.inbound.{service}", lambda *_: 1 / 0)
    answered = api.webhook(webhook, form(world))
    assert answered.status_code == 200
    assert verbs(answered) == [
        ("Pause", {"length": "1"}, None),
        ("Redirect", {"method": "POST"}, f"https://api.test/api/webhooks/gateway/{webhook}"),
    ]


def test_a_status_that_is_no_end_changes_nothing(api, world):
    post = form(world)
    api.webhook("voice", post)
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    for status in ("ringing", "in-progress", "initiated", ""):
        assert api.webhook("status", {**post, "CallStatus": status}).status_code == 204
    assert world.reread(call) == call


def test_a_forwarded_call_names_the_forwarding_number(api, world):
    post = form(world, ForwardedFrom="+33198765432")
    api.webhook("voice", post)
    assert world.call_of(world.incoming(sid=post["CallSid"])).forwarded_from == "+33198765432"


def told_of(call):
    view = public_view(call)
    return {n: view.get(n) for n in ("caller_name", "stir_verstat", "sip_headers")}


def test_what_the_caller_s_side_tells_is_in_the_call_its_event_and_what_relays_get(api, world):
    post = form(
        world,
        CallerName="Zoë Dupont",
        StirVerstat="TN-Validation-Passed-A",
        **{"SipHeader_X-Order": "4711", "SipHeader_User-to-User": "00aa"},
    )
    api.webhook("voice", post)
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    told = {
        "caller_name": "Zoë Dupont",
        "stir_verstat": "TN-Validation-Passed-A",
        "sip_headers": {"X-Order": "4711", "User-to-User": "00aa"},
    }
    assert told_of(call) == told
    assert told.items() <= told_to_relay(world.deps, call)["call"].items()
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    assert told.items() <= events[-1].data["call"].items()


def test_a_call_of_which_nothing_is_told_has_no_such_members(api, world):
    call = world.ringing()
    for shown in (public_view(call), told_to_relay(world.deps, call)["call"]):
        assert not {"caller_name", "stir_verstat", "sip_headers"} & set(shown)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.fixed_dictionaries(
        {
            "CallerName": st.text(max_size=300),
            "StirVerstat": st.text(max_size=50),
        }
    ),
    header=st.text("X-abChamadeTwilio\r\n:. ", max_size=70),
    value=st.text(max_size=300),
)
def test_whatever_strangers_tell_the_call_rings_and_shows_one_clean_line_each(
    api, world, fields, header, value
):
    world.allow_many_calls()
    post = form(world, **fields, **{f"SipHeader_{header}": value})
    assert api.webhook("voice", post).status_code == 200
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    told = told_of(call)
    assert told["caller_name"] is None or name_fault(told["caller_name"]) is None
    assert fault(told["sip_headers"] or {}) is None
    assert (told["stir_verstat"] or "x").isprintable()


FORGED = base64.b64encode(b"\0" * 20).decode()


@pytest.mark.parametrize("kind", ["voice", "ringing", "after-stream", "status"])
@pytest.mark.parametrize("signature", ["", FORGED, "not base64 é"])
def test_a_forged_or_missing_signature_is_403_and_leaves_no_trace(api, world, kind, signature):
    before = everything_in(world.table)
    answered = api.webhook(kind, form(world), signature=signature)
    assert (answered.status_code, answered.json_body["code"]) == (403, "bad_signature")
    assert everything_in(world.table) == before


def test_a_signature_for_another_route_or_form_is_refused(api, world):
    from twilio.request_validator import RequestValidator

    from tests.support.http import AUTH_TOKEN, PUBLIC_URL

    post = form(world)
    signer = RequestValidator(AUTH_TOKEN)
    elsewhere = signer.compute_signature(f"{PUBLIC_URL}/webhooks/gateway/status", post)
    assert api.webhook("voice", post, signature=elsewhere).status_code == 403
    original = signer.compute_signature(f"{PUBLIC_URL}/webhooks/gateway/voice", post)
    changed = {**post, "To": "+15550009999"}
    assert api.webhook("voice", changed, signature=original).status_code == 403


def test_an_unknown_provider_is_404(api):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answered = api.raw("POST", "/webhooks/telnyx/voice", b"", **headers)
    assert (answered.status_code, answered.json_body["code"]) == (404, "unknown_provider")


def test_a_signed_post_without_a_call_is_422(api, world):
    post = form(world)
    del post["CallSid"]
    answered = api.webhook("voice", post)
    assert (answered.status_code, answered.json_body["errors"][0]["field"]) == (422, "CallSid")


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(body=st.binary(max_size=400))
def test_no_body_causes_an_internal_error(api, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": FORGED}
    answered = api.raw("POST", "/webhooks/gateway/voice", body, **headers)
    assert answered.status_code in (400, 403)


@pytest.mark.parametrize("field", ["From", "To", "ForwardedFrom", "SipCallId", "CallSid"])
def test_a_field_that_is_too_long_is_refused_and_nothing_is_kept(api, world, field):
    before = everything_in(world.table)
    answered = api.webhook("voice", form(world, **{field: "9" * (MAX_FIELD + 1)}))
    assert answered.status_code == 422
    assert everything_in(world.table) == before


def test_a_caller_beyond_the_limit_hears_a_busy_tone_and_no_call_is_created(api, world):
    account_admin.set_limits(world.deps, world.account_id, {"max_concurrent_calls": 0})
    post = form(world)
    assert verbs(api.webhook("voice", post)) == [("Reject", {"reason": "busy"}, None)]
    assert api.webhook("status", {**post, "CallStatus": "busy"}).status_code == 204
    assert api.call("GET", "/api/calls").json_body["calls"] == []


def test_a_status_post_of_the_far_end_s_hold_is_shown_in_the_call(api, world):
    post = form(world)
    api.webhook("voice", post)
    call = world.call_of(world.incoming(sid=post["CallSid"]))
    call_control.accept(world.deps, world.account_id, call.call_id)
    held = {**post, "CallStatus": "in-progress", "HoldStatus": "held", "SequenceNumber": "3"}
    assert api.webhook("status", held).status_code == 204
    assert api.call("GET", f"/api/call/{call.call_id}").json_body["hold"] == "far_end"
    late = {**held, "HoldStatus": "unheld", "SequenceNumber": "2"}
    nonsense = {**held, "HoldStatus": "maybe", "SequenceNumber": "x"}
    for post in (late, nonsense):
        assert api.webhook("status", post).status_code == 204
    assert api.call("GET", f"/api/call/{call.call_id}").json_body["hold"] == "far_end"
    api.webhook("status", {**held, "HoldStatus": "unheld", "SequenceNumber": "4"})
    assert "hold" not in api.call("GET", f"/api/call/{call.call_id}").json_body


def test_a_status_post_about_a_refer_says_what_it_has_come_to(world):
    for text, code in (("202", 202), ("486", 486), ("", None), ("soon", None)):
        update = update_of(form(world, CallStatus="in-progress", ReferStatus=text))
        assert update.refer_code == code
