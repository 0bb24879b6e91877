"""Tests of playout: queued audio comes out whole, in order, in frames; marks come back when
played.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.playout_queue import FRAME, LIMIT, MARKS_LIMIT, SILENT_FRAME, Key, PlayoutQueue

LOUD = b"\x01"


def frames(playout, count):
    return [playout.tick()[0] for _ in range(count)]


def test_an_empty_queue_plays_silence():
    assert PlayoutQueue().tick() == (SILENT_FRAME, [])
    assert len(SILENT_FRAME) == FRAME


def test_one_frame_goes_out_in_one_tick():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME)
    assert frames(playout, 2) == [LOUD * FRAME, SILENT_FRAME]


def test_the_last_partial_frame_is_played_at_once_padded_with_silence():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * (FRAME + 10))
    assert frames(playout, 2) == [LOUD * FRAME, LOUD * 10 + SILENT_FRAME[10:]]


def test_a_partial_first_frame_waits_one_tick_for_the_rest():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * 100)
    assert playout.tick()[0] == SILENT_FRAME
    playout.enqueue(LOUD * 100)
    assert playout.tick()[0] == LOUD * FRAME


def test_a_first_frame_that_stays_partial_is_played():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * 100)
    assert frames(playout, 3) == [SILENT_FRAME, LOUD * 100 + SILENT_FRAME[100:], SILENT_FRAME]


def test_payloads_of_odd_sizes_are_played_without_gaps():
    playout, played, due = PlayoutQueue(), b"", 0.0
    for tick in range(100):
        while due <= tick * FRAME:
            playout.enqueue(LOUD * 100)
            due += 100
        played += playout.tick()[0]
    assert set(played.lstrip(SILENT_FRAME[:1])) == set(LOUD)


def test_a_mark_comes_back_on_the_tick_after_its_last_frame_went_out():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME * 2)
    assert playout.mark("end") is False
    assert [playout.tick()[1] for _ in range(3)] == [[], [], ["end"]]


def test_a_mark_with_nothing_queued_counts_as_played():
    assert PlayoutQueue().mark("now") is True


def test_marks_keep_their_order_when_the_queue_has_just_emptied():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME)
    assert playout.mark("first") is False
    playout.tick()
    assert playout.mark("second") is False
    assert playout.tick()[1] == ["first", "second"]


def test_clear_empties_the_queue_and_gives_the_marks_back():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME * 3)
    playout.mark("a")
    playout.enqueue(LOUD)
    playout.mark("b")
    assert playout.clear() == ["a", "b"]
    assert playout.queued == 0
    assert playout.tick() == (SILENT_FRAME, [])
    assert playout.mark("c") is True


def test_more_than_ten_minutes_are_dropped():
    playout = PlayoutQueue()
    assert playout.enqueue(LOUD * LIMIT) == 0
    assert playout.enqueue(LOUD * 5) == 5
    assert playout.queued == LIMIT
    playout.tick()
    assert playout.enqueue(LOUD * (FRAME + 5)) == 5


def test_outstanding_marks_are_bounded():
    playout = PlayoutQueue()
    playout.enqueue(LOUD)
    for i in range(MARKS_LIMIT):
        playout.mark(str(i))
    with pytest.raises(ValueError, match="marks outstanding"):
        playout.mark("one too many")


ACTIONS = st.lists(
    st.one_of(
        st.binary(max_size=700).map(lambda audio: audio.replace(b"\xff", b"\x00")),
        st.text(max_size=3),
        st.just("tick").map(lambda _: None),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_all_audio_is_played_and_every_mark_is_in_its_place(actions):
    playout, expected, expected_marks = PlayoutQueue(), b"", []
    played, marks = b"", []

    def tick():
        nonlocal played
        frame, passed = playout.tick()
        assert len(frame) == FRAME
        marks.extend((name, len(played.replace(b"\xff", b""))) for name in passed)
        played += frame

    for action in actions:
        if isinstance(action, bytes):
            assert playout.enqueue(action) == 0
            expected += action
        elif isinstance(action, str):
            expected_marks.append((action, len(expected)))
            if playout.mark(action):
                marks.append((action, len(played.replace(b"\xff", b""))))
        else:
            tick()
    while playout.queued:
        tick()
    tick()
    assert played.replace(b"\xff", b"") == expected
    assert [name for name, _ in marks] == [name for name, _ in expected_marks]
    # Never early, and late by less than the frame in which its place lies.
    for (_, at), (_, place) in zip(marks, expected_marks, strict=True):
        assert place <= at < place + FRAME


@given(st.lists(st.binary(max_size=400), max_size=20), st.integers(0, 2000))
def test_the_queue_never_exceeds_its_limit(payloads, limit):
    playout, dropped = PlayoutQueue(limit), 0
    for payload in payloads:
        dropped += playout.enqueue(payload)
        assert playout.queued <= limit
    assert playout.queued + dropped == sum(map(len, payloads))


def test_a_key_is_sent_when_the_audio_before_it_has_been_played():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME * 2)
    assert playout.mark(Key("5")) is False
    assert [playout.tick()[1] for _ in range(3)] == [[], [], [Key("5")]]


def test_cleared_keys_are_neither_sent_nor_reported():
    playout = PlayoutQueue()
    playout.enqueue(LOUD * FRAME)
    playout.mark(Key("5"))
    playout.mark("after")
    assert playout.clear() == ["after"]
    assert playout.tick()[1] == []
