"""Mutated messages by the thousand through every codec of the wires: of the provider's stream, of
the agent's socket, of the relay's door, and of the gateway's side of a stream.

`make fuzz` tries a million.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import media_stream
from relay.protocol import agent, door_messages
from tests.load import codecs as bench
from tests.support.thorough import often
from tests.support.wire_codecs import MESSAGES, Codecs, Wrong

INPUTS = often(20_000, 1_000_000)
EVERYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(
            ["event", "type", "media", "payload", "streamSid", "name", "id", "method", "params"]
        ) | st.text(), inner)
    ),
)  # fmt: skip


def test_only_documented_errors_come_out_and_memory_stays_flat() -> None:
    done = bench.run(INPUTS)
    assert {outcome.wire: outcome.wrong for outcome in done.outcomes.values()} == {
        wire: [] for wire in MESSAGES
    }
    assert done.grown_mb < bench.GROWTH_MB
    assert sum(done.errors.values()) > INPUTS / 2
    for outcome in done.outcomes.values():
        print(f"\n{outcome.wire}: {outcome.took_s / outcome.inputs * 1e6:.1f} µs an input")


@pytest.mark.parametrize("wire", MESSAGES)
@given(raw=st.binary() | EVERYTHING.map(msgspec.json.encode))
def test_no_bytes_at_all_bring_another_error(wire: str, raw: bytes) -> None:
    Codecs().feed(wire, raw)


@pytest.mark.parametrize(
    "text",
    [
        b'{"event":"media","media":{"payload":"AQID"},"streamSid":"\xff"}',
        b'{"event":"media","media":{"payload":"AQID"},"streamSid":"\xed\xa0\x80"}',
        b'{"event":"\xc3","media":{"payload":"AQID"}}',
    ],
)
def test_a_message_that_is_not_utf8_is_no_message_for_any_decoder(text: bytes) -> None:
    assert media_stream.decode_media(text) is None
    assert media_stream.MediaDecoder("MZ1")(text) is None
    for parse in (media_stream.parse_from_provider, media_stream.parse_to_provider):
        with pytest.raises(ValueError, match="not a media stream message"):
            parse(text)


def test_a_codec_that_lets_another_error_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(_text: bytes) -> None:
        raise KeyError("not documented")

    monkeypatch.setattr(door_messages, "parse", parse)
    done = bench.run(60)
    assert done.outcomes["door"].wrong
    assert not done.outcomes["agent"].wrong


def test_a_hot_path_that_hears_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_stream, "decode_media", lambda _text: b"else")
    with pytest.raises(Wrong):
        Codecs().feed("media stream", media_stream.MediaEncoder("MZ1")(b"\x01"))


def test_errors_of_an_agent_name_no_more_than_its_mistake() -> None:
    text = b'{"type":"' + b"x" * 50_000 + b'"}'
    with pytest.raises(agent.BadMessageError) as caught:
        agent.parse(text)
    assert (caught.value.code, len(str(caught.value)) < 200) == ("unknown_type", True)
