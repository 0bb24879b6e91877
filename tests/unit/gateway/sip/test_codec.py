"""Tests that gateway and child understand each other, however the stream cuts their frames."""

from __future__ import annotations

import pytest
from gateway.legs.sip.codec import FRAME, MAX_FRAME, AudioBatch, Decoder, control
from hypothesis import given
from hypothesis import strategies as st

controls = st.fixed_dictionaries({"do": st.text(), "call": st.integers(0, 2**31)})
audio = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.binary(min_size=FRAME, max_size=FRAME)), min_size=1
)


def encoded(item) -> bytes:
    if isinstance(item, dict):
        return control(**item)
    batch = AudioBatch()
    for call, frame in item:
        batch.add(call, frame)
    return batch.take()


@given(st.lists(controls | audio), st.lists(st.integers(1, 50)))
def test_messages_are_decoded_however_the_stream_is_cut(items, cuts):
    stream = b"".join(encoded(item) for item in items)
    decoder, got = Decoder(), []
    cuts = [*cuts, len(stream)]
    for size in cuts:
        piece, stream = stream[:size], stream[size:]
        got += decoder.feed(piece)
    got += decoder.feed(stream)
    expected = []
    for item in items:
        expected += [item] if isinstance(item, dict) else item
    assert got == expected


def test_an_empty_batch_sends_nothing():
    assert AudioBatch().take() == b""


@given(st.binary(min_size=5, max_size=400))
def test_garbage_is_refused_or_waits_for_more(data):
    decoder = Decoder()
    try:
        for message in decoder.feed(data):
            assert isinstance(message, tuple | dict | list | str | int | float | bool | None)
    except ValueError:
        pass


def test_an_overlong_frame_is_refused():
    with pytest.raises(ValueError, match="a frame of"):
        list(Decoder().feed((MAX_FRAME + 1).to_bytes(4, "big") + b"\x01"))
