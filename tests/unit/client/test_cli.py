"""Tests of the command line without a network: exit codes, and what is printed."""

from __future__ import annotations

import json
import sys
import types

import httpx
import pytest

from chamade.cli import common, microphone
from chamade.cli.app import main
from chamade.client import Client
from tests.unit.client.conftest import CALL, KEY

TOKEN = "a-token-that-opens-the-call"
AUDIO = {"url": "wss://relay.example/a", "token": TOKEN, "frame_bytes": 640}


class Api:
    """Answers what the test says; keeps what was asked."""

    def __init__(self, monkeypatch) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[tuple[str, str], httpx.Response] = {}
        transport = httpx.MockTransport(self._answer)
        monkeypatch.setattr(
            common, "Client", lambda: Client("https://api.example", KEY, transport=transport)
        )

    def on(self, method: str, path: str, status: int, shown: object = None, **headers: str):
        self.answers[method, path] = httpx.Response(status, json=shown, headers=headers)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers[request.method, request.url.path]


@pytest.fixture
def api(monkeypatch):
    return Api(monkeypatch)


@pytest.mark.parametrize(
    ("status", "code", "headers"),
    [(422, 2, {}), (404, 3, {}), (401, 4, {}), (403, 4, {}), (409, 5, {}),
     (429, 6, {"Retry-After": "60"}), (500, 1, {})],
)  # fmt: skip
def test_each_kind_of_failure_has_its_exit_code(api, capsys, status, code, headers):
    api.on(
        "POST", "/api/call/call_a/accept", status, {"code": "c", "detail": "Because."}, **headers
    )
    assert main(["call", "accept", "call_a"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: Because. (c)")
    if headers:
        assert "in 60 s" in printed.err


def test_an_unreachable_api_is_exit_code_7(monkeypatch, capsys):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    monkeypatch.setattr(
        common, "Client", lambda: Client("https://api.example", KEY, transport=transport)
    )
    assert main(["call", "refuse", "call_a"]) == 7
    assert "CHAMADE_API_URL" in capsys.readouterr().err


def test_a_lost_race_prints_the_calls_present_state(api, capsys):
    now = {**CALL, "state": "active"}
    problem = {"code": "call_not_ringing", "detail": "No.", "call": now}
    api.on("POST", "/api/call/call_a/accept", 409, problem)
    assert main(["call", "accept", "call_a", "--json"]) == 5
    error = json.loads(capsys.readouterr().err)
    assert (error["code"], error["exit_code"]) == ("call_not_ringing", 5)
    assert main(["call", "accept", "call_a"]) == 5
    assert "active now" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [["call", "frobnicate"], ["call", "show"], ["number", "change", "+1555"], ["--nope"],
     ["call", "dial", "sip:1@x", "--metadata", "[1]"], ["call", "talk", "call_a"],
     ["call", "dial", "sip:1@x", "--metadata", "order"],
     ["call", "dial", "sip:1@x", "--metadata", "=7"],
     ["call", "dial", "sip:1@x", "--header", "X-Order"],
     ["call", "talk", "call_a", "--play", "/nowhere.wav"]],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2_without_a_request(api, capsys, wrong):
    assert main(wrong) == 2
    assert capsys.readouterr().err
    assert not api.requests


@pytest.mark.parametrize(
    ("given", "sent"),
    [(['{"order": 7}'], {"order": 7}), (["order=7", "note=a=b"], {"order": "7", "note": "a=b"}),
     (['{"order": 7, "deep": {"a=b": 1}}', "note="], {"order": 7, "deep": {"a=b": 1}, "note": ""}),
     ([], None)],
)  # fmt: skip
def test_metadata_is_given_as_json_or_by_name(api, given, sent):
    api.on("POST", "/api/call", 201, {**CALL, "direction": "outbound"})
    options = [word for each in given for word in ("--metadata", each)]
    assert main(["call", "dial", "sip:+33199001234@sip.carrier.example", *options]) == 0
    assert json.loads(api.requests[0].content).get("metadata") == sent


def test_a_dial_has_the_caller_s_name_and_headers(api):
    api.on("POST", "/api/call", 201, {**CALL, "direction": "outbound"})
    told = [
        "--detect-answer",
        "on",
        "--caller-name",
        "Zoë Ltd",
        "--header",
        "X-Order=a=b",
        "--header",
        "User-to-User=00",
    ]
    assert main(["call", "dial", "sip:+33199001234@sip.carrier.example", *told]) == 0
    sent = json.loads(api.requests[0].content)
    assert (sent["caller_name"], sent["detect_answer"]) == ("Zoë Ltd", "on")
    assert sent["sip_headers"] == {"X-Order": "a=b", "User-to-User": "00"}


def test_missing_credentials_are_exit_code_4(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("CHAMADE_API_URL", raising=False)
    monkeypatch.delenv("CHAMADE_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["call", "list"]) == 4
    assert ". .local/env" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_token_of_a_calls_audio_is_not_printed(api, capsys, form):
    shown = {**CALL, "audio": AUDIO}
    api.on("GET", "/api/call/call_a", 200, shown)
    api.on("GET", "/api/calls", 200, {"calls": [shown], "next_cursor": None})
    assert main(["call", "show", "call_a", *form]) == 0
    assert main(["call", "list", *form]) == 0
    printed = capsys.readouterr().out
    assert CALL["call_id"] in printed
    assert TOKEN not in printed
    if form:
        first, second = map(json.loads, printed.splitlines())
        assert first["audio"]["url"] == second[0]["audio"]["url"] == AUDIO["url"]


def test_control_characters_in_caller_names_are_not_printed(api, capsys):
    evil = {**CALL, "from": "sip:\x1b[2Jyou\n@evil"}
    api.on("GET", "/api/calls", 200, {"calls": [evil], "next_cursor": None})
    assert main(["call", "list"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert len(printed.splitlines()) == 2


def test_accept_without_an_id_takes_the_call_that_has_rung_longest(api, capsys):
    calls = [{**CALL, "call_id": "call_new"}, {**CALL, "call_id": "call_old"}]
    api.on("GET", "/api/calls", 200, {"calls": calls, "next_cursor": None})
    api.on("POST", "/api/call/call_old/accept", 200, {**CALL, "state": "active"})
    assert main(["call", "accept"]) == 0
    assert api.requests[0].url.params["state"] == "ringing"
    assert "active" in capsys.readouterr().out
    api.on("GET", "/api/calls", 200, {"calls": [], "next_cursor": None})
    assert main(["call", "refuse"]) == 5
    assert "no call is ringing; an agent may have taken it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "uri"),
    [("sip.carrier.example", "sip:+33199001234@sip.carrier.example"),
     ("2001:db8::1", "sip:+33199001234@[2001:db8::1]")],
)  # fmt: skip
def test_a_number_is_dialled_through_the_trunk(api, host, uri):
    trunk = {"trunk_id": "t", "host": host, "port": 5060, "username": "u", "status": "registered"}
    api.on("GET", "/api/trunk", 200, trunk)
    api.on("POST", "/api/call", 201, {**CALL, "direction": "outbound", "state": "connecting"})
    assert main(["call", "dial", "+33199001234", "--caller-id", "+33199005678"]) == 0
    dialled = json.loads(api.requests[-1].content)
    assert (dialled["meeting_url"], dialled["caller_id"]) == (uri, "+33199005678")
    assert main(["call", "dial", "sip:+33199001234@other.example"]) == 0
    assert [one.url.path for one in api.requests] == ["/api/trunk", "/api/call", "/api/call"]


def test_a_number_without_a_trunk_is_not_dialled(api, capsys):
    detail = {"code": "no_trunk", "detail": "No trunk is connected."}
    api.on("GET", "/api/trunk", 404, detail)
    assert main(["call", "dial", "+33199001234"]) == 3
    printed = capsys.readouterr().err
    assert "No trunk is connected." in printed
    assert "chamade trunk connect" in printed
    assert len(api.requests) == 1


def test_a_trunks_password_is_read_from_the_environment_or_standard_input_only(
    api, monkeypatch, capsys
):
    trunk = {"trunk_id": "t", "host": "h", "port": 5060, "username": "u", "status": "registering"}
    api.on("PUT", "/api/trunk", 200, trunk)
    monkeypatch.setenv("CHAMADE_TRUNK_PASSWORD", "from the environment")
    connect = ["trunk", "connect", "h", "--username", "u"]
    assert main([*connect, "--allow", "FR", "--allow", "DE"]) == 0
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(readline=lambda: "from a pipe\n"))
    assert main([*connect, "--password-stdin"]) == 0
    first, second = (json.loads(one.content) for one in api.requests)
    assert first == {
        "host": "h", "username": "u", "password": "from the environment",
        "allowed_countries": ["FR", "DE"],
    }  # fmt: skip
    assert second["password"] == "from a pipe"
    assert "from a pipe" not in "".join(capsys.readouterr())
    assert main([*connect, "--password", "x"]) == 2


SECOND = {"trunk_id": "t", "name": "second", "host": "h", "status": "ready", "dids": []}
PRESET = {"preset": "carrier", "title": "A carrier", "kind": "carrier", "ask": ["username"],
          "settings": {"host": "sip.carrier.example", "number_format": "00", "user_phone": True},
          "notes": ["Ask them for an account."], "source": "https://carrier.example"}  # fmt: skip


def test_trunks_are_listed_shown_and_forgotten_by_name(api, capsys):
    api.on("GET", "/api/trunks", 200, {"trunks": [SECOND]})
    api.on("GET", "/api/trunks/second", 200, SECOND)
    api.on("DELETE", "/api/trunks/second", 204)
    assert main(["trunk", "list"]) == 0
    assert "second\th\tready" in capsys.readouterr().out
    assert main(["trunk", "show", "--name", "second", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == SECOND
    assert main(["trunk", "disconnect", "--name", "second"]) == 0


def test_a_trunk_by_address_is_connected_without_a_password(api):
    api.on("PUT", "/api/trunks/second", 201, SECOND)
    command = ["trunk", "connect", "h", "--name", "second", "--auth", "ip"]
    more = ["--network", "9.9.9.9/32", "--dial-prefix", "0", "--fallback", "main"]
    assert main([*command, *more, "--wait"]) == 0
    assert json.loads(api.requests[-1].content) == {
        "host": "h", "auth": "ip", "networks": ["9.9.9.9/32"], "dial_prefix": "0",
        "fallback": ["main"],
    }  # fmt: skip


def test_a_preset_fills_in_what_is_not_given(api, monkeypatch, capsys):
    api.on("GET", "/api/trunk-presets", 200, {"presets": [PRESET]})
    api.on("PUT", "/api/trunk", 201, {**SECOND, "name": "main"})
    monkeypatch.setenv("CHAMADE_TRUNK_PASSWORD", "x")
    command = ["trunk", "connect", "--preset", "carrier"]
    assert main([*command, "--username", "u", "--number-format", "plain", "--no-user-phone"]) == 0
    assert json.loads(api.requests[-1].content) == {
        "host": "sip.carrier.example", "username": "u", "password": "x",
        "number_format": "plain", "user_phone": False,
    }  # fmt: skip
    assert "Ask them for an account." in capsys.readouterr().err
    assert main(command) == 2  # no username
    assert main(["trunk", "connect", "--preset", "other", "--username", "u"]) == 2
    assert "carrier" in capsys.readouterr().err
    assert main(["trunk", "connect", "--username", "u"]) == 2
    assert main(["trunk", "presets"]) == 0
    assert "carrier\tA carrier" in capsys.readouterr().out


def test_numbers_and_calls_go_through_the_trunk_that_is_named(api):
    api.on("GET", "/api/trunks/second", 200, SECOND)
    api.on("POST", "/api/call", 201, {**CALL, "direction": "outbound", "state": "connecting"})
    assert main(["call", "dial", "+33199001234", "--trunk", "second"]) == 0
    dialled = json.loads(api.requests[-1].content)
    assert (dialled["meeting_url"], dialled["trunk"]) == ("sip:+33199001234@h", "second")
    did = {"e164": "+33199005678"}
    api.on("POST", "/api/trunks/second/dids", 201, did)
    api.on("PATCH", "/api/trunks/second/dids/+33199005678", 200, did)
    api.on("DELETE", "/api/trunks/second/dids/+33199005678", 204)
    assert main(["did", "list", "--trunk", "second"]) == 0
    for verb in (["add"], ["change", "--label", "Desk"], ["remove"]):
        assert main(["did", verb[0], "+33199005678", *verb[1:], "--trunk", "second"]) == 0


@pytest.mark.parametrize(("status", "code"), [("registered", 0), ("failed", 1)])
def test_waiting_for_a_trunk_ends_with_its_status(api, monkeypatch, capsys, status, code):
    trunk = {"trunk_id": "t", "host": "h", "port": 5060, "username": "u", "status": "registering"}
    api.on("PUT", "/api/trunk", 200, trunk)
    api.on("GET", "/api/trunk", 200, {**trunk, "status": status, "detail": "Wrong password."})
    monkeypatch.setattr("chamade.cli.trunk.time.sleep", lambda _: None)
    monkeypatch.setenv("CHAMADE_TRUNK_PASSWORD", "x")
    assert main(["trunk", "connect", "h", "--username", "u", "--wait"]) == code
    if code:
        told = "error: registration at h failed: Wrong password.\n"
        assert capsys.readouterr().err == f"h: registering\n{told}"


def test_secrets_are_printed_only_by_the_commands_that_create_them(api, capsys):
    api.on("POST", "/api/keys", 201, {"key_id": "key_1", "last4": "abcd", "key": KEY})
    api.on("GET", "/api/keys", 200, {"keys": [{"key_id": "key_1", "last4": "abcd"}]})
    api.on("POST", "/api/webhooks", 201,
           {"endpoint_id": "ep_1", "url": "https://x.example", "secret": "whsec_eA=="})  # fmt: skip
    assert main(["key", "create"]) == 0
    assert KEY in capsys.readouterr().out
    assert main(["key", "list"]) == 0
    assert KEY not in capsys.readouterr().out
    assert main(["webhook", "create", "https://x.example", "--event", "call.*"]) == 0
    assert "whsec_eA==" in capsys.readouterr().out
    assert json.loads(api.requests[-1].content)["events"] == ["call.*"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_completions_of_the_commands(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "_CHAMADE_COMPLETE" in capsys.readouterr().out


def test_the_microphone_option_without_sounddevice_names_the_extra_to_install(
    api, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["call", "talk", "call_a", "--mic"]) == 1
    assert "chamade[mic]" in capsys.readouterr().err
    assert not api.requests


class Stream:
    """A sound card."""

    opened: list[Stream] = []

    def __init__(self, callback=None, **settings) -> None:
        self.callback, self.settings, self.played, self.closed = callback, settings, [], False
        Stream.opened.append(self)

    def start(self) -> None:
        if self.callback is not None:
            for number in range(30):
                self.callback(bytearray([number]) * 640, 320, None, None)

    def write(self, frame: bytes) -> None:
        self.played.append(frame)

    def close(self) -> None:
        self.closed = True


def test_microphone_audio_is_sent_without_growing_delay(monkeypatch):
    card = types.SimpleNamespace(
        RawInputStream=Stream, RawOutputStream=Stream, PortAudioError=OSError
    )
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    with microphone.Microphone() as mic:
        frames = mic.frames()
        assert next(frames) == bytes([5]) * 640  # of 30 frames the newest 25 wait
        mic.hear(b"frame")
    mouth, ear = Stream.opened[-2:]
    assert (mouth.settings["samplerate"], mouth.settings["blocksize"]) == (16000, 320)
    assert ear.played == [b"frame"]
    assert mouth.closed
    assert ear.closed


def test_why_an_agent_was_not_reached_is_shown_with_the_call(api, capsys):
    detail = "The agent at agent_url was not reached: the connection was refused. Check its port."
    over = {**CALL, "state": "ended", "end_reason": "no_agent", "agent_detail": detail}
    api.on("GET", "/api/call/call_a", 200, over)
    assert main(["call", "show", "call_a"]) == 0
    assert detail in capsys.readouterr().out
