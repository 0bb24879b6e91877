"""Tests of hosted voices over REST and MCP: settings, the gate, what relays are told."""

from __future__ import annotations

import base64
import json

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.domain.voice import NOT_REACHED
from chalicelib.handlers.mcp.perform import perform
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from common import control
from tests.support.voice_hosts import VOICE_SECRET, with_voice_hosts
from tests.unit.handlers.test_media import agent_attach

DID = "+33187654999"
DIAL = {"platform": "sip", "meeting_url": "sip:+33199001234@sip.carrier.example"}
HOSTED = {"voice": "hosted"}


@pytest.fixture
def house(world):
    """Voice hosts, before the application is behind HTTP."""
    return with_voice_hosts(world, hosts=2)


@pytest.fixture
def hosted(house, api):
    """The application with voice hosts, and its account in the beta."""
    return api


def accept(api, call, body=None, **more):
    return api.call("POST", f"/api/call/{call.call_id}/accept", body, **more)


def requests_for_a_hosted_voice(world):
    """Every request that can ask for one: method, path, body."""
    world.register_trunk()
    world.register_trunk(name="second")
    for name in ("main", "second"):
        world.new_did(DID, name=name)
    added = {"e164": "+33187654998", **HOSTED}
    yield "POST", f"/api/call/{world.ringing().call_id}/accept", HOSTED
    yield "POST", "/api/call", {**DIAL, **HOSTED}
    yield "PATCH", f"/api/number/{world.number}", HOSTED
    for trunk in ("/api/trunk", "/api/trunks/second"):
        yield "PATCH", f"{trunk}/dids/{DID}", HOSTED
        yield "POST", f"{trunk}/dids", added
    yield "GET", "/api/voices", None


def test_every_request_for_a_hosted_voice_is_gated_and_says_how_to_get_access(house, hosted, world):
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    for method, path, body in requests_for_a_hosted_voice(world):
        refused = hosted.call(method, path, body)
        assert (refused.status_code, refused.json_body["code"]) == (403, "hosted_voice_gated"), path
        assert "operator" in refused.json_body["detail"]
    assert house.poster.asked == []


def test_every_request_for_a_hosted_voice_is_done_in_the_beta(hosted, world):
    for method, path, body in requests_for_a_hosted_voice(world):
        done = hosted.call(method, path, body)
        assert done.status_code in (200, 201), (path, done.body)
        if body is not None:
            assert done.json_body["voice"] == "hosted", path


def test_every_request_for_a_hosted_voice_is_503_without_voice_hosts(api, world):
    account_admin.set_hosted_voice(world.deps, world.account_id, True)
    for method, path, body in requests_for_a_hosted_voice(world):
        refused = api.call(method, path, body)
        assert refused.status_code == 503, path
        assert refused.json_body["code"] == "hosted_voice_unavailable"


def test_numbers_keep_their_voice_and_its_settings(hosted, world):
    path = f"/api/number/{world.number}"
    shown = hosted.call("GET", path).json_body
    assert (shown["voice"], shown["voice_settings"]) == ("own", None)
    settings = {"language": "en-US", "speed": 1.5}
    changed = hosted.call("PATCH", path, {"voice": "hosted", "voice_settings": settings}).json_body
    assert changed["voice_settings"] == {
        "language": "en-US", "name": None, "speed": 1.5, "transcript": True, "partials": False,
    }  # fmt: skip
    assert hosted.call("PATCH", path, {"label": "Desk"}).json_body["voice"] == "hosted"
    assert hosted.call("GET", path).json_body["voice_settings"] == changed["voice_settings"]
    cleared = hosted.call("PATCH", path, {"voice": "own", "voice_settings": None}).json_body
    assert (cleared["voice"], cleared["voice_settings"]) == ("own", None)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"speed": 2.1}, "speed"),
        ({"speed": 0.4}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"language": "english please"}, "language"),
        ({"language": "e" * 36}, "language"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"transcript": 1}, "transcript"),
        ({"pitch": 2}, "pitch"),
    ],
)
def test_voice_settings_that_cannot_be_are_named(hosted, world, settings, field):
    body = {"voice": "hosted", "voice_settings": settings}
    number = hosted.call("PATCH", f"/api/number/{world.number}", body)
    answered = accept(hosted, world.ringing(), body)
    for refused in (number, answered, hosted.call("POST", "/api/call", {**DIAL, **body})):
        assert (refused.status_code, refused.json_body["code"]) == (422, "invalid")
        assert refused.json_body["errors"][0]["field"] == f"voice_settings.{field}"


def test_an_unknown_voice_lists_those_that_there_are(hosted, world):
    body = {"voice": "hosted", "voice_settings": {"name": "zoe"}}
    refused = accept(hosted, world.ringing(), body)
    assert (refused.status_code, refused.json_body["code"]) == (422, "unknown_voice")
    assert refused.json_body["choices"] == ["amy", "bob"]
    assert "amy, bob" in refused.json_body["detail"]


@pytest.mark.parametrize("body", [None, {}])
def test_an_accept_needs_no_body(hosted, world, body):
    answered = accept(hosted, world.ringing(), body)
    assert answered.status_code == 200
    assert "voice" not in answered.json_body


def test_an_accept_that_finds_no_place_is_503_and_can_be_repeated(house, hosted, world):
    for host in house.hosts:
        host.capacity = 0
    call = world.ringing()
    refused = accept(hosted, call, HOSTED)
    assert (refused.status_code, refused.json_body["code"]) == (503, "hosted_voice_busy")
    assert int(refused.headers["Retry-After"]) > 0
    house.hosts[0].capacity = 1
    answered = accept(hosted, call, HOSTED).json_body
    assert (answered["state"], answered["voice"]) == ("active", "hosted")
    assert "10.0.0." not in json.dumps(answered)


def test_another_accounts_call_takes_no_place(house, hosted, world):
    stranger, key = world.new_account()
    account_admin.set_hosted_voice(world.deps, stranger, True)
    refused = accept(hosted, world.ringing(), HOSTED, key=key)
    assert (refused.status_code, refused.json_body["code"]) == (404, "call_not_found")
    assert house.poster.asked == []


def test_a_hosted_dial_that_is_repeated_with_its_key_keeps_one_place(house, hosted, once, world):
    world.register_trunk()
    first = once("/api/call", {**DIAL, **HOSTED})
    again = once("/api/call", {**DIAL, **HOSTED})
    assert first.json_body["call_id"] == again.json_body["call_id"]
    assert house.held == {first.json_body["call_id"]}


def test_voices_are_listed(hosted):
    listed = hosted.call("GET", "/api/voices").json_body
    assert listed["languages"] == ["en-US", "fr-FR"]
    assert listed["voices"][0] == {"name": "amy", "language": "en-US", "engine": "test"}


def test_relays_dial_the_voice_host_of_a_hosted_call(house, hosted, world):
    call = world.ringing()
    accept(hosted, call, {"voice": "hosted", "voice_settings": {"name": "amy"}})
    agent = hosted.control("/media/attach", agent_attach(world, call)).json_body["agent"]
    chosen = next(host for host in house.hosts if call.call_id in host.held)
    path = f"/v1/call/{call.call_id}"
    assert agent["url"] == chosen.socket + path
    assert (agent["dialect"], agent["format"], agent["rate"]) == ("chamade", "mulaw", 8000)
    assert agent["trusted"] is True
    (other,) = (host for host in house.hosts if host is not chosen)
    configured = ["ws" + host.url.removeprefix("http") + path for host in (other, chosen)]
    assert agent["others"] == configured, "the chosen one, which calls itself otherwise, at last"
    header = agent["headers"]["X-Chamade-Voice-Settings"]
    told = json.loads(base64.urlsafe_b64decode(header))
    assert (told["name"], told["answered_at"]) == ("amy", world.reread(call).answered_at)
    signature = agent["headers"]["X-Chamade-Signature"]
    now_s = world.clock.ms // 1000
    assert control.verify(VOICE_SECRET, path, header.encode(), signature, now_s)


def test_a_hosted_call_is_not_taken_to_its_numbers_agent(hosted, world):
    hosted.call("PATCH", f"/api/number/{world.number}", {"agent_url": "wss://agent.example/own"})
    call = world.ringing()
    report = {"relay": "relay-1", "call_id": call.call_id, "type": "watch"}
    assert hosted.control("/media/report", report).json_body["agent"] is None
    accept(hosted, call, HOSTED)
    agent = hosted.control("/media/report", report).json_body["agent"]
    assert "agent.example" not in json.dumps(agent)
    settle(world.deps, call, Act.CALLER_HANGUP)
    assert hosted.control("/media/report", report).json_body["agent"] is None


def test_an_agents_own_url_is_told_as_ever(api, world):
    api.call("PATCH", f"/api/number/{world.number}", {"agent_url": "wss://agent.example/own"})
    call = world.ringing()
    accept(api, call)
    report = {"relay": "relay-1", "call_id": call.call_id, "type": "watch"}
    assert set(api.control("/media/report", report).json_body["agent"]) == {"url", "headers"}


def test_a_voice_host_that_is_not_reached_shows_no_address_in_the_call(hosted, world):
    call = world.ringing()
    accept(hosted, call, HOSTED)
    report = {"relay": "relay-1", "call_id": call.call_id, "type": "watch"}
    hosted.control("/media/report", {**report, "why": "10.0.0.1 refused the connection"})
    shown = hosted.call("GET", f"/api/call/{call.call_id}").json_body
    assert shown["agent_detail"] == NOT_REACHED
    hosted.control("/media/report", {**report, "why": ""})
    assert "agent_detail" not in hosted.call("GET", f"/api/call/{call.call_id}").json_body


def ask(world, tool, **arguments):
    return perform(TOOLS[tool], arguments, world.deps, world.account_id).content


def test_tools_get_a_hosted_voice_by_default_in_the_beta(house, hosted, world):
    world.register_trunk()
    url = DIAL["meeting_url"]
    assert ask(world, "chamade_call_accept", call_id=world.ringing().call_id)["voice"] == "hosted"
    assert ask(world, "chamade_call_join", meeting_url=url)["voice"] == "hosted"
    own = ask(world, "chamade_call_accept", call_id=world.ringing().call_id, voice="own")
    assert "voice" not in own
    assert "voice" not in ask(world, "chamade_call_join", meeting_url=url, voice="own")


def test_tools_outside_the_beta_are_as_ever_and_hosted_has_a_remedy(house, hosted, world):
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    call_id = world.ringing().call_id
    refused = ask(world, "chamade_call_accept", call_id=call_id, voice="hosted")
    assert refused["code"] == "hosted_voice_gated"
    assert "operator" in refused["remedy"]
    number = ask(world, "chamade_number_change", e164=world.number, voice="hosted")
    assert number["code"] == "hosted_voice_gated"
    assert "voice" not in ask(world, "chamade_call_accept", call_id=call_id)
