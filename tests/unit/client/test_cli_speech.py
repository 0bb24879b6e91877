"""Tests of the commands that speak and hear by text, without a network."""

from __future__ import annotations

import io
import json

import pytest

from chamade.cli.app import main
from tests.unit.client.conftest import CALL
from tests.unit.client.test_cli import Api

CALL_ID = CALL["call_id"]
PATH = f"/api/call/{CALL_ID}"
UTTERANCE = {
    "utterance_id": "utt_1", "state": "interrupted", "heard_text": "Who is", "heard_ms": 400,
    "reply": {"text": "It is\x1b[2J Ann.", "started_ms": 1000, "ended_ms": 1900, "sequence": 4},
}  # fmt: skip
ENTRIES = [
    {"sequence": 3, "speaker": "agent", "text": "Who is calling?", "started_ms": 400},
    {"sequence": 4, "speaker": "caller", "text": "It is\x1b[2J Ann.", "started_ms": 65_000},
]


@pytest.fixture
def api(monkeypatch):
    return Api(monkeypatch)


def body_of(request) -> dict:
    return json.loads(request.content or b"{}")


def test_a_text_is_said_and_its_outcome_and_the_reply_are_printed(api, capsys):
    api.on("POST", f"{PATH}/say", 200, UTTERANCE)
    words = ["--reply", "12", "--no-barge-in", "--voice-name", "kate", "Who is calling?"]
    assert main(["call", "say", CALL_ID, *words]) == 0
    assert body_of(api.requests[0]) == {
        "text": "Who is calling?", "wait_for_reply_s": 12, "barge_in": False, "name": "kate",
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert printed == "utt_1\tinterrupted\tWho is\tIt is?[2J Ann.\n"  # no terminal is told to clear


def test_a_text_comes_from_standard_input(api, capsys, monkeypatch):
    api.on("POST", f"{PATH}/say", 200, UTTERANCE)
    monkeypatch.setattr("sys.stdin", io.StringIO("Good morning.\n"))
    assert main(["call", "say", CALL_ID, "-", "-q"]) == 0
    assert body_of(api.requests[0]) == {"text": "Good morning."}
    assert capsys.readouterr().out == "utt_1\n"


def transcript(*entries: dict, state: str = "ended") -> dict:
    place = entries[-1]["sequence"] if entries else 4
    return {"entries": list(entries), "next": place, "speaking": False, "state": state}


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_a_transcript_is_printed_line_by_line(monkeypatch, capsys, follow):
    pages = [transcript(*ENTRIES), transcript(), transcript()]
    api = Pages(monkeypatch, pages)
    assert main(["call", "transcript", CALL_ID, "--after", "2", *follow]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "at\tspeaker\tsaid", "0:00\tagent\tWho is calling?", "1:05\tcaller\tIt is?[2J Ann.",
    ]  # fmt: skip
    asked = [dict(request.url.params) for request in api.requests]
    assert asked[0] == {"after": "2"} | ({"wait": "20"} if follow else {})
    assert asked[-1] == {"after": "4"}


class Pages(Api):
    """Answers each request with the next page."""

    def __init__(self, monkeypatch, pages: list[dict]) -> None:
        super().__init__(monkeypatch)
        self.pages = pages

    def _answer(self, request):
        self.on(request.method, request.url.path, 200, self.pages.pop(0))
        return super()._answer(request)


def test_a_transcript_is_words_alone_or_json(monkeypatch, capsys):
    Pages(monkeypatch, [transcript(*ENTRIES), transcript()])
    assert main(["call", "transcript", CALL_ID, "-q"]) == 0
    assert capsys.readouterr().out == "Who is calling?\nIt is?[2J Ann.\n"
    Pages(monkeypatch, [transcript(*ENTRIES), transcript()])
    assert main(["call", "transcript", CALL_ID, "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ENTRIES


def test_keys_are_pressed_speech_is_cleared_and_a_transcript_is_deleted(api, capsys):
    api.on("POST", f"{PATH}/dtmf", 200, {"queued": 3})
    api.on("POST", f"{PATH}/clear", 200, {"cleared": ["utt_1"]})
    api.on("DELETE", f"{PATH}/transcript", 204)
    assert main(["call", "dtmf", CALL_ID, "12#"]) == 0
    assert body_of(api.requests[0]) == {"digits": "12#"}
    assert main(["call", "clear", CALL_ID]) == 0
    assert main(["call", "transcript", CALL_ID, "--delete"]) == 0
    assert [request.method for request in api.requests] == ["POST", "POST", "DELETE"]


HELD = {**CALL, "hold": "agent"}
TRANSFER = {"transfer_id": "transfer_1", "mode": "cold", "to": "+33199001234", "state": "dialling"}


@pytest.mark.parametrize(
    ("words", "end", "sent"),
    [
        (["hold", CALL_ID], "hold", {}),
        (["hold", CALL_ID, "--silence"], "hold", {"music": False}),
        (["resume", CALL_ID], "resume", None),
        (["transfer", CALL_ID, "+33199001234"], "transfer", {"to": "+33199001234", "mode": "cold"}),
        (
            ["transfer", CALL_ID, "+33199001234", "--warm", "--timeout", "20", "--hang-up"],
            "transfer",
            {"to": "+33199001234", "mode": "warm", "timeout_s": 20, "on_failure": "hang_up"},
        ),
        (["transfer", CALL_ID, "--complete"], "transfer/complete", None),
        (["transfer", CALL_ID, "--cancel"], "transfer/cancel", None),
    ],
)
def test_calls_are_held_and_transferred(api, words, end, sent):
    api.on("POST", f"{PATH}/{end}", 200, {**HELD, "transfer": TRANSFER})
    assert main(["call", *words]) == 0
    (request,) = api.requests
    assert (body_of(request) if request.content else None) == sent


def test_a_transfer_needs_somebody_to_call(api):
    assert main(["call", "transfer", CALL_ID]) == 2
    assert main(["call", "transfer", CALL_ID, "+331", "--cancel"]) == 2
    assert api.requests == []


@pytest.mark.parametrize(
    ("words", "request_line", "sent"),
    [
        (["call", "accept", CALL_ID], ("POST", f"{PATH}/accept"), {}),
        (["call", "dial", "sip:1@x.example"], ("POST", "/api/call"), {"platform", "meeting_url"}),
        (["number", "change", "+15555500101"], ("PATCH", "/api/number/+15555500101"), {}),
        (["did", "change", "+331"], ("PATCH", "/api/trunk/dids/+331"), {}),
        (["did", "add", "+331"], ("POST", "/api/trunk/dids"), {"e164"}),
    ],
)
def test_a_voice_is_chosen_for_calls_and_numbers(api, words, request_line, sent):
    shown = CALL if words[0] == "call" else {"e164": words[2]}
    api.on(*request_line, 200, shown)
    options = ["--voice", "hosted", "--language", "fr-FR", "--speed", "1.2", "--no-transcript"]
    assert main([*words, *options]) == 0
    given = body_of(api.requests[0])
    assert given["voice"] == "hosted"
    assert given["voice_settings"] == {"language": "fr-FR", "speed": 1.2, "transcript": False}
    assert set(given) - {"voice", "voice_settings"} == set(sent)


def test_hosted_voices_are_listed(api, capsys):
    shown = {"voices": [{"name": "kate", "language": "en-US", "engine": "hibari"}],
             "languages": ["en-US"]}  # fmt: skip
    api.on("GET", "/api/voices", 200, shown)
    assert main(["voice", "list"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["voice\tlanguage\tengine", "kate\ten-US\thibari"]
    assert "en-US" in printed.err


def test_an_account_outside_the_beta_is_told_so_by_exit_code_4(api, capsys):
    problem = {"code": "hosted_voice_gated", "detail": "Ask the operator."}
    api.on("POST", f"{PATH}/say", 403, problem)
    assert main(["call", "say", CALL_ID, "Hello."]) == 4
    assert "Ask the operator." in capsys.readouterr().err
