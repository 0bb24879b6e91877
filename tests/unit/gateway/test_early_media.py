"""What a caller says and presses before the stream is open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.early import EARLY, EARLY_KEYS, EarlyMedia


def frame(number: int) -> bytes:
    return number.to_bytes(4, "big") * 40


@given(st.lists(st.booleans(), max_size=400))
def test_the_last_frames_and_all_keys_come_out_in_order(events: list[bool]) -> None:
    early, items = EarlyMedia(), []
    for number, is_key in enumerate(events):
        if is_key and sum(isinstance(each, str) for each in items) < EARLY_KEYS:
            assert early.keep_key(str(number % 10))
            items.append(str(number % 10))
        else:
            early.keep_frame(frame(number))
            items.append(frame(number))
    frames = [each for each in items if isinstance(each, bytes)]
    lost = set(frames[: max(0, len(frames) - EARLY)])
    assert list(early.take()) == [each for each in items if each not in lost]
    assert list(early.take()) == []


def test_keys_beyond_the_limit_are_dropped() -> None:
    early = EarlyMedia()
    assert [early.keep_key("1") for _ in range(EARLY_KEYS + 2)].count(False) == 2
    assert list(early.take()) == ["1"] * EARLY_KEYS
    assert early.keep_key("2")
