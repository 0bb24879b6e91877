"""Tests that every reader sees all events in order, however many read and write at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from chalicelib.domain import cursor
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.cursor import BadCursor
from chalicelib.domain.event import RETENTION_S
from chalicelib.services import inbox
from chalicelib.services.call import inbound
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from tests.support.engine import everything_in


def test_events_come_in_order_and_a_cursor_continues_where_it_stopped(world):
    call = world.ringing()
    first, cursor = inbox.read(world.deps, world.account_id, None, 0)
    assert [event.type.value for event in first] == ["number.activated", "call.ringing"]
    settle(world.deps, settle(world.deps, call, Act.ANSWER), Act.AGENT_HANGUP)
    then, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
    assert [event.type.value for event in then] == ["call.answered", "call.ended"]
    assert [event.version for event in then] == [2, 3]
    assert inbox.read(world.deps, world.account_id, cursor, 0) == ([], cursor)


def test_the_latest_cursor_skips_past_events(world):
    world.ringing()
    none, cursor = inbox.read(world.deps, world.account_id, "latest", 0)
    assert none == []
    call = world.ringing()
    found, _ = inbox.read(world.deps, world.account_id, cursor, 0)
    assert [event.call_id for event in found] == [call.call_id]


def test_a_long_poll_ends_at_the_first_event(world):
    _, cursor = inbox.read(world.deps, world.account_id, "latest", 0)
    ringing = threading.Timer(0.2, world.ringing)
    ringing.start()
    found, _ = inbox.read(world.deps, world.account_id, cursor, 10)
    ringing.join()
    assert [event.type.value for event in found] == ["call.ringing"]


def test_everything_a_call_leaves_but_the_call_itself_has_a_ttl(world):
    """Everything that a call leaves has a TTL, but for the call itself."""
    account_admin.set_limits(world.deps, world.account_id, {"max_concurrent_calls": 1})
    settle(world.deps, world.ringing(), Act.ANSWER)
    inbound.receive(world.deps, world.incoming())
    world.events()
    ours = [item for item in everything_in(world.table) if world.account_id in item["pk"]]
    lasting = {item["sk"] for item in ours if "expires_at" not in item}
    assert lasting == {"ACCOUNT", "EVENT_COUNTER"}
    kept = [item["expires_at"] for item in ours if item["pk"].endswith("#EVENTS")]
    assert kept
    assert max(kept) <= world.clock() // 1000 + RETENTION_S


@pytest.fixture
def waiting(world, monkeypatch):
    """Polls of the world's account that wait until they are let go."""
    go, sleeping = threading.Event(), threading.Semaphore(0)

    class Time:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(_):
            sleeping.release()
            go.wait(10)

    monkeypatch.setattr(inbox, "time", Time)
    _, cursor = inbox.read(world.deps, world.account_id, "latest", 0)
    readers = ThreadPoolExecutor(8)

    def begin(count):
        polls = [
            readers.submit(inbox.read, world.deps, world.account_id, cursor, 20)
            for _ in range(count)
        ]
        for _ in polls:
            assert sleeping.acquire(timeout=10)
        return polls

    yield SimpleNamespace(begin=begin, cursor=cursor, go=go)
    world.ringing()  # ends the polls
    go.set()
    readers.shutdown()


def test_waiting_polls_of_an_account_are_limited(world, waiting):
    waiting.begin(5)
    with pytest.raises(inbox.TooManyPolls) as refused:
        inbox.read(world.deps, world.account_id, waiting.cursor, 20)
    assert refused.value.limit == 5
    # Who need not wait is answered all the same.
    assert inbox.read(world.deps, world.account_id, waiting.cursor, 0)[0] == []
    call = world.ringing()
    found, _ = inbox.read(world.deps, world.account_id, waiting.cursor, 20)
    assert [event.call_id for event in found] == [call.call_id]


def test_polls_of_one_account_do_not_use_another_accounts_limit(world, waiting):
    waiting.begin(5)
    other, _ = world.new_account()
    assert inbox.read(world.deps, other, "latest", 0)[0] == []
    waiting.go.set()
    assert inbox.read(world.deps, other, None, 0.01)[0] == []


def test_every_end_of_a_poll_makes_room_for_the_next(world, waiting, monkeypatch):
    account_admin.set_limits(world.deps, world.account_id, {"max_waiting_polls": 1})
    [poll] = waiting.begin(1)
    call = world.ringing()
    waiting.go.set()
    assert [event.call_id for event in poll.result(10)[0]] == [call.call_id]
    cursor = poll.result()[1]
    with monkeypatch.context() as broken:
        broken.setattr(inbox, "_wait", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            inbox.read(world.deps, world.account_id, cursor, 1)
    assert inbox.read(world.deps, world.account_id, cursor, 0.01)[0] == []


def test_a_dead_poll_keeps_its_place_until_its_lease_ends(world, monkeypatch):
    account_admin.set_limits(world.deps, world.account_id, {"max_waiting_polls": 1})
    _, cursor = inbox.read(world.deps, world.account_id, "latest", 0)
    with monkeypatch.context() as dead:
        dead.setattr(world.stores.places, "give_back", lambda *_: 1 / 0)
        assert inbox.read(world.deps, world.account_id, cursor, 0.01)[0] == []
    with pytest.raises(inbox.TooManyPolls):
        inbox.read(world.deps, world.account_id, cursor, 0.01)
    world.clock.advance(inbox.LEASE_SLACK_S + 1)
    assert inbox.read(world.deps, world.account_id, cursor, 0.01)[0] == []


def test_cursors_of_other_accounts_and_made_up_ones_are_refused(world):
    stranger, _ = world.new_account()
    _, cursor = inbox.read(world.deps, world.account_id, None, 0)
    for bad in (cursor[:-1], "x", "latest!"):
        with pytest.raises(BadCursor):
            inbox.read(world.deps, world.account_id, bad, 0)
    with pytest.raises(BadCursor):
        inbox.read(world.deps, stranger, cursor, 0)


def test_a_cursor_from_before_the_table_was_restored_is_refused(world):
    ahead = cursor.seal("a secret of the tests", world.account_id, "events", "1000")
    with pytest.raises(BadCursor):
        inbox.read(world.deps, world.account_id, ahead, 0)


def test_accounts_see_their_own_events_only(world):
    stranger, _ = world.new_account()
    world.ringing()
    assert world.events(stranger) == []


def test_an_event_seen_between_two_reads_waits_for_its_predecessor(world, monkeypatch):
    """A page is no snapshot: a second event may be in it whose first was written behind the eye."""
    call = world.ringing()
    other = settle(world.deps, world.ringing(), Act.ANSWER)
    whole, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    settle(world.deps, call, Act.ANSWER)
    late, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    torn = [i for i in late if (i["call_id"], i["version"]) != (call.call_id, 1)]
    pages = iter([(whole, None), (torn, None)])
    monkeypatch.setattr(world.table, "query", lambda *_, **__: next(pages))
    waiting, held_back = world.stores.events._waiting(world.account_id)
    assert held_back
    found = [(i["call_id"], i["version"]) for i in waiting]
    assert (call.call_id, 2) not in found
    assert (other.call_id, 2) in found


def test_three_readers_of_a_busy_account_each_see_all_in_order(world):
    """Readers number the events while writers write: no gap, no repeat, order kept per call."""
    done = threading.Event()
    seen: list[list] = [[], [], []]

    def read(mine):
        cursor = None
        while True:
            finished = done.is_set()
            page, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
            mine += page
            if finished and not page:
                return

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()

    def live_a_life(_):
        call = world.ringing()
        settle(world.deps, settle(world.deps, call, Act.ANSWER), Act.AGENT_HANGUP)

    writers = [threading.Thread(target=lambda: [live_a_life(n) for n in range(12)]) for _ in "1234"]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for reader in readers:
        reader.join()

    ids = [[event.event_id for event in mine] for mine in seen]
    assert ids[0] == ids[1] == ids[2]
    assert len(ids[0]) == len(set(ids[0])) == 1 + 48 * 3
    versions: dict[str, list[int]] = {}
    for event in seen[0]:
        if event.call_id:
            versions.setdefault(event.call_id, []).append(event.version)
    assert set(map(tuple, versions.values())) == {(1, 2, 3)}


def test_an_event_that_could_not_be_ordered_yet_is_numbered_later(world, monkeypatch):
    """Another reader took the first page away between two reads: nothing is known of the second."""
    call = world.ringing()
    world.events()
    settle(world.deps, call, Act.ANSWER)
    whole, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    gone = [{**whole[0], "sk": "0", "call_id": "call_other"}]
    pages = iter([(gone, None), (whole, None)])
    with monkeypatch.context() as patched:
        patched.setattr(world.table, "query", lambda *_, **__: next(pages))
        assert world.stores.events.number_waiting(world.account_id)
    assert world.events()[-1] == "call.answered"
