"""Tests of the limit of an account's inbound calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.line import LineChanges
from chalicelib.handlers import event_catalogue
from chalicelib.providers.base import Connect, KeepRinging, Reject
from chalicelib.services import inbox
from chalicelib.services.call import admission, inbound, media
from chalicelib.services.call.transition import settle
from chalicelib.services.line import numbers
from chalicelib.services.operator import account_admin
from chalicelib.store.places import Places
from chalicelib.store.table import TableUnavailable
from chalicelib.store.turned_away import EVENT_EVERY_MS
from tests.support.engine import everything_in
from tests.support.world import World

BUSY = Reject(busy=True)


def limit(world, **limits):
    account_admin.set_limits(world.deps, world.account_id, limits)


def held(world):
    return world.stores.places.holders(Places(world.account_id, admission.KIND, 0))


def turned_away(world):
    """The data of the events that tell of it."""
    page, _ = inbox.read(world.deps, world.account_id, None, 0)
    found = [event for event in page if event.type == "call.turned_away"]
    for event in found:
        event_catalogue.check(event)
    return [event.data for event in found]


def test_a_caller_beyond_the_accounts_limit_gets_a_busy_tone(world):
    limit(world, max_concurrent_calls=2)
    first, second = world.ringing(), world.ringing()
    third = world.incoming()
    assert inbound.receive(world.deps, third) == BUSY
    assert (
        world.stores.calls.get(inbound.inbound_call_id("gateway", third.provider_call_id)) is None
    )
    assert world.events().count("call.ringing") == 2
    assert set(held(world)) == {first.call_id, second.call_id}


def test_twenty_calls_ring_at_once_by_default_without_affecting_another_account(world):
    answers = [inbound.receive(world.deps, world.incoming()) for _ in range(25)]
    assert answers == [KeepRinging()] * 20 + [BUSY] * 5
    other, _ = world.new_account()
    theirs = world.incoming(world.new_number(other))
    assert inbound.receive(world.deps, theirs) == KeepRinging()


def test_concurrent_calls_never_get_more_places_than_there_are(world):
    limit(world, max_concurrent_calls=3)
    calls = [world.incoming() for _ in range(12)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda each: inbound.receive(world.deps, each), calls))
    assert sorted(map(repr, answers)) == sorted(map(repr, [KeepRinging()] * 3 + [BUSY] * 9))


@pytest.mark.parametrize(
    "act",
    [Act.DECLINE, Act.CALLER_HANGUP, Act.AGENT_HANGUP, Act.PROVIDER_FAILED, Act.MEDIA_LOST],
)
def test_every_end_of_a_call_frees_its_place(world, act):
    limit(world, max_concurrent_calls=1)
    call = world.ringing()
    if act is Act.MEDIA_LOST:
        call = settle(world.deps, call, Act.ANSWER)
    settle(world.deps, call, act)
    assert held(world) == {}
    assert inbound.receive(world.deps, world.incoming()) == KeepRinging()


def test_a_repeated_webhook_takes_no_second_place(world):
    limit(world, max_concurrent_calls=1)
    incoming = world.incoming()
    assert [inbound.receive(world.deps, incoming) for _ in range(3)] == [KeepRinging()] * 3


def test_concurrent_duplicate_webhooks_keep_the_place_of_their_call(world, monkeypatch):
    incoming = world.incoming()
    inbound.receive(world.deps, incoming)
    call = world.call_of(incoming)
    owner = world.stores.accounts.get(call.account_id)

    def too_often(*_):
        raise admission.TurnedAway("new_calls_per_minute", 0)

    monkeypatch.setattr(admission, "count_new", too_often)
    admission.admit(world.deps, owner, call)
    places = Places(call.account_id, admission.KIND, 20)
    assert call.call_id in world.stores.places.holders(places)


def test_a_late_voice_webhook_of_an_ended_call_leaves_no_place_taken(world, monkeypatch):
    incoming = world.incoming()
    call = world.ringing()
    incoming = replace(incoming, provider_call_id=call.provider_call_id)
    settle(world.deps, call, Act.CALLER_HANGUP)
    real, looks = world.stores.calls.get, []

    def not_there_yet(call_id):
        looks.append(call_id)
        return None if len(looks) == 1 else real(call_id)

    monkeypatch.setattr(world.stores.calls, "get", not_there_yet)
    assert inbound.receive(world.deps, incoming) == BUSY
    assert held(world) == {}


def test_leaked_places_are_reclaimed_when_none_is_free(world, monkeypatch):
    limit(world, max_concurrent_calls=3)
    calls = [world.ringing() for _ in range(3)]
    with monkeypatch.context() as broken:
        broken.setattr(world.stores.places, "give_back", lambda *_: 1 / 0)
        assert settle(world.deps, calls[1], Act.DECLINE).state.final  # it ends all the same
    assert len(held(world)) == 3
    assert inbound.receive(world.deps, world.incoming()) == KeepRinging()
    assert calls[1].call_id not in held(world)


def test_a_place_without_a_call_is_freed_after_a_while(world, monkeypatch):
    limit(world, max_concurrent_calls=1)

    def dies(*_):
        raise TableUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(world.stores.calls, "create", dies)
        with pytest.raises(TableUnavailable):
            inbound.receive(world.deps, world.incoming())
    assert inbound.receive(world.deps, world.incoming()) == BUSY  # it may be created this moment
    world.clock.advance(admission.CREATED_WITHIN_MS / 1000 + 1)
    assert inbound.receive(world.deps, world.incoming()) == KeepRinging()


def test_only_a_few_places_are_checked_before_a_caller_is_turned_away(world, monkeypatch):
    for _ in range(20):
        world.ringing()
    looked = []
    real = world.stores.calls.get
    monkeypatch.setattr(world.stores.calls, "get", lambda each: looked.append(each) or real(each))
    assert inbound.receive(world.deps, world.incoming()) == BUSY
    assert len(looked) == 1 + admission.CHECKED


def test_outbound_calls_count_against_the_limit(world):
    limit(world, max_concurrent_calls=3)
    world.dial()
    settle(world.deps, world.ringing(), Act.ANSWER)
    world.ringing()
    assert inbound.receive(world.deps, world.incoming()) == BUSY
    with pytest.raises(NotDialled) as refused:
        world.dial("+33199001235")
    assert (refused.value.code, refused.value.facts) == ("too_many_dials", {"limit": 3})
    limit(world, max_concurrent_calls=4)
    assert inbound.receive(world.deps, world.incoming()) == KeepRinging()


def test_a_limit_of_zero_admits_no_call(world):
    limit(world, max_concurrent_calls=0)
    assert inbound.receive(world.deps, world.incoming()) == BUSY


def test_an_event_a_minute_counts_the_calls_turned_away(world):
    limit(world, max_concurrent_calls=1)
    world.ringing()
    for _ in range(7):
        inbound.receive(world.deps, world.incoming())
    [first] = turned_away(world)
    assert (first["line"], first["from"]) == (world.number, "+33612345678")
    assert (first["reason"], first["limit"], first["count"]) == ("max_concurrent_calls", 1, 1)
    world.clock.advance(EVENT_EVERY_MS / 1000)
    inbound.receive(world.deps, world.incoming())
    assert [each["count"] for each in turned_away(world)] == [1, 7]


def test_concurrent_calls_turned_away_give_one_event(world):
    limit(world, max_concurrent_calls=0)
    calls = [world.incoming() for _ in range(30)]
    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(lambda each: inbound.receive(world.deps, each), calls)) == {BUSY}
    assert len(turned_away(world)) == 1


def test_a_flood_is_logged_once_a_minute(world, caplog):
    limit(world, max_concurrent_calls=0)
    caplog.clear()
    for _ in range(20):
        inbound.receive(world.deps, world.incoming())
    assert [record.message for record in caplog.records] == ["calls turned away"]


def test_a_caller_is_turned_away_even_if_the_event_cannot_be_written(world, monkeypatch):
    limit(world, max_concurrent_calls=0)
    monkeypatch.setattr(world.stores.turned_away, "count", lambda *_: 1 / 0)
    assert inbound.receive(world.deps, world.incoming()) == BUSY


def test_later_posts_about_a_call_turned_away_record_nothing(empty_table):
    world = World(empty_table)
    limit(world, max_concurrent_calls=0)
    incoming = world.incoming()
    inbound.receive(world.deps, incoming)
    before = everything_in(empty_table)
    inbound.caller_gone(world.deps, incoming, failed=False, rejected=True)
    assert everything_in(empty_table) == before


def test_new_calls_a_minute_are_limited_for_callers_who_hang_up_at_once(world, monkeypatch):
    monkeypatch.setattr(admission, "NEW_CALLS", replace(admission.NEW_CALLS, times=4))
    for _ in range(2):
        settle(world.deps, world.ringing(), Act.CALLER_HANGUP)
    for _ in range(5):  # over before we heard that they ring
        inbound.caller_gone(world.deps, world.incoming(), failed=False)
    assert inbound.receive(world.deps, world.incoming()) == BUSY
    assert held(world) == {}
    assert world.events().count("call.missed") == 4
    [event] = turned_away(world)
    assert (event["reason"], event["limit"]) == ("new_calls_per_minute", 4)
    world.clock.advance(60)
    assert inbound.receive(world.deps, world.incoming()) == KeepRinging()


@pytest.mark.parametrize(("most", "lasts"), [(30, 30), (8 * 3600, 4 * 3600)])
def test_an_inbound_call_lasts_no_longer_than_the_accounts_limit(world, most, lasts):
    limit(world, max_call_s=most)
    numbers.change(world.deps, world.account_id, world.number, LineChanges(auto_answer=True))
    incoming = world.incoming()
    assert isinstance(inbound.receive(world.deps, incoming), Connect)
    call = world.call_of(incoming)
    assert call.max_duration_s == lasts
    assert call.ends_at == call.answered_at + lasts * 1000
    _, expires = media.audio_token(world.deps, call)
    assert expires == call.ring_deadline // 1000 + lasts
    assert held(world)[call.call_id] == expires * 1000 + admission.SLACK_MS
