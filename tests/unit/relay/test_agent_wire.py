"""Agent protocol codec and audio formats."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol import agent


@pytest.mark.parametrize(
    ("format_", "rate", "expected"),
    [
        (None, None, agent.AudioFormat("pcm_s16le", 16000)),
        ("mulaw", None, agent.AudioFormat("mulaw", 8000)),
        ("mulaw", "8000", agent.AudioFormat("mulaw", 8000)),
        (None, "24000", agent.AudioFormat("pcm_s16le", 24000)),
        ("pcm_s16le", "8000", agent.AudioFormat("pcm_s16le", 8000)),
    ],
)
def test_the_format_follows_from_the_urls_parameters(
    format_: str | None, rate: str | None, expected: agent.AudioFormat
) -> None:
    assert agent.choose_format(None, format_, rate) == expected


@pytest.mark.parametrize(
    ("format_", "rate"),
    [("wav", None), (None, "44100"), (None, "16000.0"), ("mulaw", "16000"), ("PCM_S16LE", None)],
)
def test_a_wrong_format_is_refused_with_the_right_ones(
    format_: str | None, rate: str | None
) -> None:
    with pytest.raises(ValueError, match=r"must be|only"):
        agent.choose_format(None, format_, rate)


def test_a_call_is_wanted_if_it_is_free_only_by_one_value() -> None:
    assert agent.choose_if_free(None) is False
    assert agent.choose_if_free("1") is True
    for wrong in ("", "0", "true"):
        with pytest.raises(ValueError, match="must be 1"):
            agent.choose_if_free(wrong)


@pytest.mark.parametrize(
    ("format_", "rate", "size"),
    [("mulaw", 8000, 160), ("pcm_s16le", 8000, 320), ("pcm_s16le", 24000, 960)],
)
def test_a_frame_is_twenty_milliseconds(format_: str, rate: int, size: int) -> None:
    assert agent.AudioFormat(format_, rate).describe()["frame_bytes"] == size


@given(st.text(max_size=agent.MAX_MARK_NAME))
def test_any_name_of_a_mark_comes_back_unchanged(name: str) -> None:
    message = agent.parse(json.dumps({"type": "mark", "name": name}).encode())
    assert isinstance(message, agent.Mark)
    assert (
        json.loads(agent.ChamadeDialect(agent.MULAW).mark(message.name, played=True))["name"]
        == name
    )


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_bad_message_with_a_known_code(text: bytes) -> None:
    code = None
    try:
        agent.parse(text)
    except agent.BadMessageError as error:
        code = error.code
    assert code in ("bad_json", "unknown_type", "bad_field")


def test_a_newline_is_not_a_digit() -> None:
    with pytest.raises(agent.BadMessageError):
        agent.parse(b'{"type":"dtmf","digits":"1\\n"}')


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (b'{"type":"mark","name":5}', "bad_field", "name is a text of at most"),
        (b'{"type":"mark"}', "bad_field", "name is a text"),
        (b'{"type":"dtmf","digits":"x"}', "bad_field", "as in 12#"),
        (b'{"type":"boo"}', "unknown_type", "clear, mark, dtmf or hangup"),
        (b"[]", "bad_field", "a JSON object"),
    ],
)
def test_a_wrong_message_is_told_what_is_wanted(text: bytes, code: str, told: str) -> None:
    with pytest.raises(agent.BadMessageError, match=told) as refused:
        agent.parse(text)
    assert refused.value.code == code
    assert not re.search(r"`|\bstr\b|regex|\^|Expected", str(refused.value))
