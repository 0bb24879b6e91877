"""Tests of following events: the cursor, outages, and ringing calls."""

from __future__ import annotations

import pytest

from chamade.errors import Invalid, Unauthorized, Unreachable
from chamade.feed import Doorbell, Feed
from tests.unit.client.conftest import CALL, problem, reply

AT = "2026-11-22T15:36:40.011Z"


def batch(cursor: str, *ids: str, kind: str = "call.ringing", **call):
    events = [
        {"event_id": f"evt_{one}", "type": kind, "at": AT, "call_id": one,
         "data": {"call": {**CALL, "call_id": one, **call}}}
        for one in ids
    ]  # fmt: skip
    return reply(200, {"events": events, "cursor": cursor})


class Follower:
    """Asks a feed for one event after the other."""

    def __init__(self, play, feed) -> None:
        self.play, self.feed = play, feed

    def next(self, *answers):
        self.played = self.play(self.feed.next(), *answers)
        return self.played.result()

    @property
    def cursors_sent(self):
        return [sent.query.get("after") for sent in self.played.sent]


def test_the_cursor_moves_when_a_batch_has_been_handled(play):
    feed = Follower(play, Feed("5"))
    assert feed.next(batch("7", "a", "b")).event_id == "evt_a"
    assert feed.feed.cursor == "5"
    assert feed.next().event_id == "evt_b"
    assert feed.feed.cursor == "5"
    assert feed.next(batch("7"), batch("8", "c")).event_id == "evt_c"
    assert feed.cursors_sent == ["7", "7"]
    assert feed.feed.cursor == "7"


def test_reading_from_the_oldest_event_sends_no_cursor(play):
    feed = Follower(play, Feed())
    feed.next(batch("1", "a"))
    assert feed.cursors_sent == [None]
    assert feed.played.sent[0].timeout_s > 20


def test_the_feed_waits_out_an_outage_without_losing_events(play):
    feed = Follower(play, Feed("5"))
    trouble = [Unreachable("no"), reply(502), problem(429, "too_many_requests", wait=2)] * 3
    assert feed.next(*trouble, batch("6", "a")).event_id == "evt_a"
    assert feed.cursors_sent == ["5"] * 10
    assert all(0 < wait <= 10 for wait in feed.played.waited)
    assert feed.played.waited[2] == 2


def test_a_wrong_key_raises_unauthorized(play):
    with pytest.raises(Unauthorized):
        Follower(play, Feed()).next(problem(401, "bad_key"))


def test_an_invalid_cursor_given_by_the_program_is_an_error(play):
    with pytest.raises(Invalid):
        Follower(play, Feed("bogus")).next(problem(400, "bad_cursor"))


@pytest.mark.parametrize("begin", [None, "latest"])
def test_the_feed_starts_over_after_a_restore_invalidates_its_cursor(play, begin):
    feed = Follower(play, Feed(begin))
    feed.next(batch("900", "a"))
    assert feed.next(problem(400, "bad_cursor"), batch("3", "b")).event_id == "evt_b"
    assert feed.cursors_sent == ["900", begin]


def test_calls_already_ringing_come_first_and_each_call_once(play):
    bell = Follower(play, Doorbell())
    ringing = {
        "calls": [{**CALL, "call_id": "two"}, {**CALL, "call_id": "one"}],
        "next_cursor": None,
    }
    answers = [batch("5"), reply(200, ringing)]
    assert bell.next(*answers).call_id == "one"
    assert bell.cursors_sent == ["latest", None]
    assert bell.next().call_id == "two"
    later = [batch("6", "one", "two"), batch("7", "x", kind="call.ended"), batch("8", "three")]
    assert bell.next(*later).call_id == "three"
    assert bell.cursors_sent == ["5", "6", "7"]


def test_the_doorbell_skips_outbound_calls_and_other_numbers(play):
    bell = Follower(play, Doorbell("+15555500103"))
    none = reply(200, {"calls": [], "next_cursor": None})
    rang = bell.next(
        batch("5"), none,
        batch("6", "ours", direction="outbound"),
        batch("7", "theirs", line="+15555500199"),
        batch("8", "good"),
    )  # fmt: skip
    assert rang.call_id == "good"


def test_calls_that_are_transferred_are_not_taken_back(play):
    """Nobody hears an agent in them, and its hang-up would end the talk of others."""
    transfer = {"transfer_id": "transfer_1", "mode": "cold", "to": "+33199001234"}
    active = [
        {**CALL, "call_id": "free"},
        {**CALL, "call_id": "failed", "transfer": {**transfer, "state": "failed"}},
        {**CALL, "call_id": "joined", "transfer": {**transfer, "state": "completed"}},
    ]
    none = reply(200, {"calls": [], "next_cursor": None})
    found = reply(200, {"calls": active, "next_cursor": None})
    played = play(Doorbell().answered(), batch("5"), none, found)
    assert {call.call_id for call in played.result()} == {"free", "failed"}
