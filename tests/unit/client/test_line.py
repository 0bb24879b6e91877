"""Tests of the line's rules without a socket: unread items, marks, reconnecting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chamade.audio.line import Comeback, Format, Line, Marks, Unread, may_return
from chamade.audio.messages import AnsweredBy, Dropped, Dtmf, GreetingEnded, Mark


@pytest.mark.parametrize(("name", "rate"), [("opus", 8000), ("mulaw", 16000), ("pcm_s16le", 44100)])
def test_unsupported_formats_are_refused(name, rate):
    with pytest.raises(ValueError, match=r"format is|goes at"):
        Format(name, rate)


def test_each_format_has_a_default_rate():
    assert Format.wanted("mulaw", None) == Format("mulaw", 8000)
    assert Format.wanted("pcm_s16le", None).bytes_per_s == 32_000


items = st.one_of(st.binary(min_size=1, max_size=50), st.sampled_from("0123456789").map(Dtmf))


@given(st.lists(items, max_size=60))
def test_unread_items_are_bounded_in_order_with_losses_counted(given_items):
    unread = Unread(1000, 0.1)
    for item in given_items:
        unread.put(item)
    got = []
    while (item := unread.take()) is not None:
        got.append(item)
    audio = [one for one in got if isinstance(one, bytes)]
    came = [one for one in given_items if isinstance(one, bytes)]
    lost = sum(one.ms for one in got if isinstance(one, Dropped))
    assert audio == came[len(came) - len(audio) :]
    assert sum(map(len, audio)) <= 100
    assert lost == sum(map(len, came)) - sum(map(len, audio))  # a byte is a ms here
    assert [one for one in got if isinstance(one, Dtmf)] == [
        one for one in given_items if isinstance(one, Dtmf)
    ]
    gone, expected = len(came) - len(audio), []
    for one in given_items:
        if isinstance(one, bytes) and gone:
            gone -= 1
        else:
            expected.append(one)
    assert [one for one in got if not isinstance(one, Dropped)] == expected


def test_unread_keys_are_bounded():
    unread = Unread(1000)
    for _ in range(5000):
        unread.put(Dtmf("1"))
    count = 0
    while unread.take() is not None:
        count += 1
    assert count == 1000


def test_a_mark_that_overtakes_others_reports_them_as_not_played():
    marks = Marks()
    for name in ("a", "b", "b", "c"):
        marks.set(name)
    assert marks.returned(Mark("b", True)) == [Mark("a", False), Mark("b", True)]
    assert marks.returned(Mark("a", True)) == []
    assert marks.returned(Mark("c", True)) == [Mark("b", False), Mark("c", True)]
    assert marks.out == 0


def test_reconnecting_starts_at_once_and_backs_off_for_ten_seconds():
    comeback, now, pauses = Comeback(), 100.0, []
    while (pause := comeback.pause(now)) is not None:
        pauses.append(pause)
        now += pause
    assert pauses[:6] == [0.0, 0.25, 0.5, 1.0, 2.0, 2.0]
    assert 8.0 <= now - 100.0 <= 10.0
    comeback.connected()
    assert comeback.pause(now) == 0.0


@pytest.mark.parametrize(
    ("code", "back"),
    [(None, True), (1001, True), (1011, True), (1012, True), (1013, True), (1000, False),
     (1002, False), (1007, False), (1008, False), (1009, False), (4400, False), (4401, False),
     (4409, False), (4410, False), (4999, False)],
)  # fmt: skip
def test_the_close_code_decides_whether_to_reconnect(code, back):
    assert may_return(code) is back


def test_a_warning_of_the_relay_is_logged_and_ends_nothing(caplog):
    line = Line(Format.wanted("pcm_s16le", None), lambda _: None)
    assert not line.received(
        '{"type": "warning", "code": "wrong_rate", "detail": "Is it 24000 Hz?"}'
    )
    assert line.unread.take() is None
    assert "wrong_rate: Is it 24000 Hz?" in caplog.text


def test_who_answered_is_an_item_among_the_audio():
    line = Line(Format("mulaw", 8000), lambda _: None)
    line.received(b"\xff")
    line.received('{"type": "answered_by", "answered_by": "machine", "at_ms": 3120}')
    line.received(b"\xff")
    line.received('{"type": "greeting_ended", "ended_by": "beep", "at_ms": 9240}')
    items = [line.unread.take() for _ in range(4)]
    assert items == [b"\xff", AnsweredBy("machine", 3120), b"\xff", GreetingEnded("beep", 9240)]
