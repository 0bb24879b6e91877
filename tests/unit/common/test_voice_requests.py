"""Requests to a voice host are read as they were written, and wrong ones are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.voice_requests import BadRequestError, Clear, Listen, Say, read


@pytest.mark.parametrize(
    "request_",
    [
        Say("utt_1", "Hello."),
        Say("utt_1", "Bonjour.", True, False, "lea", "fr-FR", 1.5, True, 12.5),
        Clear(),
        Listen(),
        Listen(after=1790000000123, wait_s=20),
    ],
)
def test_a_request_is_read_as_it_was_written(request_: Any):
    assert read(request_.METHOD, json.loads(json.dumps(request_.params()))) == request_


@pytest.mark.parametrize("params", [None, [], "x", 5])
@pytest.mark.parametrize("method", ["say", "clear", "listen"])
def test_params_are_an_object(method: str, params: Any):
    with pytest.raises(BadRequestError, match="params is an object"):
        read(method, params)


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"utterance_id": ""}, "utterance_id is missing"),
        ({"utterance_id": "x" * 129}, "utterance_id is a text of at most 128 characters"),
        ({"text": 5}, "text is a text of at most 2000 characters"),
        ({"wait": 1}, "wait is true or false"),
        ({"speed": 0.4}, "speed is a number from 0.5 to 2"),
        ({"speed": float("nan")}, "speed is a number from 0.5 to 2"),
        ({"wait_for_reply_s": 21}, "wait_for_reply_s is a number from 0 to 20"),
        ({"language": []}, "language is a text of at most 128 characters"),
    ],
)
def test_a_wrong_member_is_told_with_what_it_must_be(params: dict[str, Any], wanted: str):
    with pytest.raises(BadRequestError, match=wanted):
        read("say", {"utterance_id": "utt_1", "text": "Hello."} | params)


def test_unknown_members_are_ignored_and_unknown_methods_are_not():
    assert read("clear", {"new": 1}) == Clear()
    for method in ("sing", None, 5, []):
        with pytest.raises(BadRequestError, match="method is say, clear or listen"):
            read(method, {})
