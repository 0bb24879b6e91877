"""Tests that the command line's errors name its own commands, and nothing of REST or pydantic."""

from __future__ import annotations

import re

import pytest

from chalicelib.problem_texts import REMEDIES
from chamade.cli.app import root
from chamade.cli.failures import _REMEDIES, _REMEDIES_BY_CODE, complain
from chamade.errors import BadAnswer, ChamadeError, api_error

REQUEST = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) /|/api/")


def told(capsys, error: ChamadeError, *, as_json: bool = False) -> str:
    complain(error, as_json=as_json)
    return capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_a_remedy_of_rest_is_replaced_by_a_command(capsys, code):
    sentence = REMEDIES[code]
    rest = sentence.format() if isinstance(sentence, str) else "PATCH /api/trunk/dids/+331 changes."
    detail = f"sip.carrier.example is in FR. That is so. {rest}"
    printed = told(capsys, api_error(409, {"code": code, "detail": detail, "title": "No"}))
    first, second = printed.splitlines()
    assert first == f"error: sip.carrier.example is in FR. That is so. ({code})"
    assert "`chamade " in second
    assert not REQUEST.search(printed)
    alone = told(capsys, api_error(409, {"code": code, "detail": rest, "title": "Not possible"}))
    assert alone.startswith(f"error: Not possible ({code})\n")


def test_every_command_in_a_remedy_exists():
    remedies = " ".join([*_REMEDIES_BY_CODE.values(), *(text for _, text in _REMEDIES)])
    commands = re.findall(r"`chamade (\w+) (\w+)", remedies)
    assert commands
    for noun, verb in commands:
        assert verb in root.commands[noun].commands


def test_all_that_validation_found_is_told_once(capsys):
    errors = [
        {"field": "agent_url", "message": "ws:// or wss:// is wanted"},
        {"field": "country", "message": "two letters are wanted"},
    ]
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    problem = {"code": "invalid", "detail": detail, "errors": errors}
    assert told(capsys, api_error(422, problem)) == (
        "error: agent_url: ws:// or wss:// is wanted; country: two letters are wanted (invalid)\n"
    )
    printed = told(capsys, api_error(422, {**problem, "detail": "Wrong."}))
    assert printed.splitlines()[1:] == [
        "  agent_url: ws:// or wss:// is wanted", "  country: two letters are wanted",
    ]  # fmt: skip


def test_an_answer_that_is_not_the_api_s_is_told_without_its_path(capsys):
    error = BadAnswer("GET /api/calls: HTTP 200, but not the answer that this client knows")
    assert told(capsys, error).startswith("error: HTTP 200, but not")
