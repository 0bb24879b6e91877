"""Events: every reader sees all, in order, however many read and write at once."""

from __future__ import annotations

import threading

import pytest

from chalicelib.domain import cursor
from chalicelib.domain.call_moves import Act
from chalicelib.domain.cursor import BadCursor
from chalicelib.services import inbox
from chalicelib.services.transition import settle


def test_events_come_in_order_and_a_cursor_goes_on_where_it_stopped(world):
    call = world.ringing()
    first, cursor = inbox.read(world.ports, world.account_id, None, 0)
    assert [event.type.value for event in first] == ["number.activated", "call.ringing"]
    settle(world.ports, settle(world.ports, call, Act.ANSWER), Act.AGENT_HANGUP)
    then, cursor = inbox.read(world.ports, world.account_id, cursor, 0)
    assert [event.type.value for event in then] == ["call.answered", "call.ended"]
    assert [event.version for event in then] == [2, 3]
    assert inbox.read(world.ports, world.account_id, cursor, 0) == ([], cursor)


def test_latest_skips_what_was(world):
    world.ringing()
    none, cursor = inbox.read(world.ports, world.account_id, "latest", 0)
    assert none == []
    call = world.ringing()
    found, _ = inbox.read(world.ports, world.account_id, cursor, 0)
    assert [event.call_id for event in found] == [call.call_id]


def test_a_long_poll_ends_with_the_first_event(world):
    _, cursor = inbox.read(world.ports, world.account_id, "latest", 0)
    ringing = threading.Timer(0.2, world.ringing)
    ringing.start()
    found, _ = inbox.read(world.ports, world.account_id, cursor, 10)
    ringing.join()
    assert [event.type.value for event in found] == ["call.ringing"]


def test_cursors_of_others_and_made_up_ones_are_refused(world):
    stranger, _ = world.new_account()
    _, cursor = inbox.read(world.ports, world.account_id, None, 0)
    for bad in (cursor[:-1], "x", "latest!"):
        with pytest.raises(BadCursor):
            inbox.read(world.ports, world.account_id, bad, 0)
    with pytest.raises(BadCursor):
        inbox.read(world.ports, stranger, cursor, 0)


def test_a_cursor_from_before_the_table_was_restored_is_refused(world):
    ahead = cursor.seal("a secret of the tests", world.account_id, "events", "1000")
    with pytest.raises(BadCursor):
        inbox.read(world.ports, world.account_id, ahead, 0)


def test_accounts_see_their_own_events_only(world):
    stranger, _ = world.new_account()
    world.ringing()
    assert world.events(stranger) == []


def test_an_event_that_came_up_between_two_reads_waits_for_its_predecessor(world, monkeypatch):
    """A page is no snapshot: a second event may be in it whose first was written behind the eye."""
    call = world.ringing()
    other = settle(world.ports, world.ringing(), Act.ANSWER)
    whole, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    settle(world.ports, call, Act.ANSWER)
    late, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    torn = [i for i in late if (i["call_id"], i["version"]) != (call.call_id, 1)]
    pages = iter([(whole, None), (torn, None)])
    monkeypatch.setattr(world.table, "query", lambda *_, **__: next(pages))
    waiting, held_back = world.ports.events._waiting(world.account_id)
    assert held_back
    told = [(i["call_id"], i["version"]) for i in waiting]
    assert (call.call_id, 2) not in told
    assert (other.call_id, 2) in told


def test_three_readers_of_a_busy_account_each_see_all_in_order(world):
    """Readers number the events while writers write: no gap, no repeat, order kept per call."""
    done = threading.Event()
    seen: list[list] = [[], [], []]

    def read(mine):
        cursor = None
        while True:
            finished = done.is_set()
            page, cursor = inbox.read(world.ports, world.account_id, cursor, 0)
            mine += page
            if finished and not page:
                return

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()

    def live_a_life(_):
        call = world.ringing()
        settle(world.ports, settle(world.ports, call, Act.ANSWER), Act.AGENT_HANGUP)

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


def test_what_could_not_be_ordered_yet_still_waits(world, monkeypatch):
    """Another reader took the first page away between two reads: nothing is known of the second."""
    call = world.ringing()
    world.events()
    settle(world.ports, call, Act.ANSWER)
    whole, _ = world.table.query(f"ACCOUNT#{world.account_id}#OUTBOX")
    gone = [{**whole[0], "sk": "0", "call_id": "call_other"}]
    pages = iter([(gone, None), (whole, None)])
    with monkeypatch.context() as patched:
        patched.setattr(world.table, "query", lambda *_, **__: next(pages))
        assert world.ports.events.number_waiting(world.account_id)
    assert world.events()[-1] == "call.answered"
