"""Tests of several trunks of an account: names, their bound, races, numbers, and their end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.trunk import MAX_TRUNKS, TrunkStatus
from chalicelib.services.line import dids, gateway_trunks, number_pool, trunks
from chalicelib.services.line.number_pool import NumberClaimed
from chalicelib.services.line.trunk_checks import OwnHost, PrivateHost, UnfitSetting
from chalicelib.services.line.trunks import NoTrunk, NumberTaken, TooManyTrunks
from chalicelib.services.operator import account_admin, reseal
from chalicelib.store.table import Contention, put
from chalicelib.store.trunk_items import trunk_item
from chalicelib.store.trunks import MAX_NAMED
from tests.support.world import World, with_settings
from tests.unit.services.trunks import events_of, report

NETWORKS = ["9.9.9.0/24"]


def by_address(world, name="main", account_id=None, **settings):
    given = {"auth": "ip", "networks": NETWORKS, "username": None, "password": None}
    return world.new_trunk(account_id, name=name, **{**given, **settings})


def names(world):
    return [trunk.name for trunk in world.stores.trunks.all_of_account(world.account_id)]


@pytest.fixture
def many(monkeypatch):
    """An account that may connect trunks as often as the tests do."""
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 1000)


def test_trunks_of_an_account_are_connected_seen_and_forgotten_by_name(world):
    for name in ("second", "main", "b-2"):
        world.new_trunk(name=name, host=f"{name}.carrier.example")
        world.clock.advance(0.001)  # events of different things are ordered only by their time
    assert names(world) == ["main", "b-2", "second"]
    assert trunks.own(world.deps, world.account_id).host == "main.carrier.example"
    assert trunks.own(world.deps, world.account_id, "second").name == "second"
    trunks.disconnect(world.deps, world.account_id, "main")
    assert names(world) == ["b-2", "second"]
    with pytest.raises(NoTrunk):
        trunks.own(world.deps, world.account_id)
    told = [event.data["trunk"]["name"] for event in events_of(world) if "trunk" in event.data]
    assert told == ["second", "main", "b-2", "main"]


def test_new_settings_keep_the_name_and_change_no_other_trunk(world):
    first, second = world.new_trunk(), world.new_trunk(name="second")
    again = world.new_trunk(name="second", port=5080)
    assert (again.trunk_id, again.name, again.revision) == (second.trunk_id, "second", 2)
    assert trunks.own(world.deps, world.account_id) == first


def test_an_account_has_main_and_nine_other_trunks_at_most(world, many):
    world.new_trunk()
    for number in range(MAX_NAMED):
        world.new_trunk(name=f"t{number}")
    with pytest.raises(TooManyTrunks) as refused:
        world.new_trunk(name="one-more")
    assert refused.value.limit == MAX_TRUNKS == len(names(world))
    world.new_trunk(name="t0")  # that is there
    trunks.disconnect(world.deps, world.account_id, "t0")
    world.new_trunk(name="one-more")
    trunks.disconnect(world.deps, world.account_id)
    world.new_trunk()
    assert len(names(world)) == MAX_TRUNKS


def test_trunks_connected_concurrently_stay_within_the_bound(world, many, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunks.MAX_NAMED", 3)

    def connect(number):
        try:
            return world.new_trunk(name=f"t{number}").name
        except (TooManyTrunks, Contention):
            return None

    with ThreadPoolExecutor(4) as crowd:
        connected = [name for name in crowd.map(connect, range(10)) if name]
    assert len(connected) == 3
    assert names(world) == sorted(connected)

    def forget(name):
        try:
            trunks.disconnect(world.deps, world.account_id, name)
        except NoTrunk:
            return 0
        return 1

    with ThreadPoolExecutor(4) as crowd:
        forgotten = sum(crowd.map(forget, connected * 3))
    assert (forgotten, names(world)) == (3, [])
    for number in range(3):
        world.new_trunk(name=f"u{number}")
    with pytest.raises(TooManyTrunks):
        world.new_trunk(name="u3")


def test_a_name_connected_twice_at_once_is_one_trunk(world, many):
    with ThreadPoolExecutor(2) as crowd:
        made = list(crowd.map(lambda _: world.new_trunk(name="second"), range(4)))
    assert len({trunk.trunk_id for trunk in made}) == 1
    assert sorted(trunk.revision for trunk in made) == [1, 2, 3, 4]
    for number in range(MAX_NAMED - 1):
        world.new_trunk(name=f"t{number}")  # it was counted once


def test_names_of_other_accounts_do_not_matter(world):
    stranger, _ = world.new_account()
    theirs = world.new_trunk(stranger, name="second")
    mine = world.new_trunk(name="second")
    assert mine.trunk_id != theirs.trunk_id
    trunks.disconnect(world.deps, world.account_id, "second")
    assert trunks.own(world.deps, stranger, "second") == theirs


def test_a_number_may_be_on_several_trunks_that_register(world, e164):
    world.new_trunk()
    world.new_trunk(name="second")
    for name in ("main", "second"):
        world.new_did(e164, name=name, label=name)
    assert dids.owned(world.deps, world.account_id, e164, "second").label == "second"
    dids.remove(world.deps, world.account_id, e164)
    assert dids.owned(world.deps, world.account_id, e164, "second")
    seen = trunks.see_all(world.deps, world.account_id)
    assert [[did.e164 for did in each.dids] for each in seen] == [[], [e164]]


def test_a_number_of_trunks_by_address_is_on_one_trunk_of_all_accounts(world, e164):
    stranger, _ = world.new_account()
    by_address(world, account_id=stranger)
    world.new_did(e164, stranger)
    by_address(world, "second")
    with pytest.raises(NumberTaken) as taken:
        world.new_did(e164, name="second")
    assert taken.value.elsewhere
    world.new_trunk()
    world.new_did(e164)  # calls through its registration name the trunk
    dids.remove(world.deps, stranger, e164)
    world.new_did(e164, name="second")
    trunks.disconnect(world.deps, world.account_id, "second")
    world.new_did(e164, stranger)


def test_a_number_claimed_twice_at_once_goes_to_one_trunk(world, e164):
    accounts = [world.account_id, *(world.new_account()[0] for _ in range(3))]
    for account_id in accounts:
        by_address(world, account_id=account_id)

    def claim(account_id):
        try:
            return world.new_did(e164, account_id).account_id
        except (NumberTaken, Contention):
            return None

    with ThreadPoolExecutor(4) as crowd:
        (winner,) = [each for each in crowd.map(claim, accounts) if each]
    assert world.stores.dids.at("gateway-ip", e164).account_id == winner


def test_a_change_of_auth_moves_the_claims_on_the_numbers(world, e164):
    stranger, _ = world.new_account()
    world.new_trunk()
    world.new_did(e164)
    assert world.stores.dids.at("gateway-ip", e164) is None
    by_address(world)
    assert world.stores.dids.at("gateway-ip", e164).account_id == world.account_id
    by_address(world, account_id=stranger)
    with pytest.raises(NumberTaken):
        world.new_did(e164, stranger)
    world.new_trunk()  # registers again
    world.new_did(e164, stranger)
    with pytest.raises(NumberTaken) as taken:
        by_address(world)
    assert taken.value.e164 == e164
    assert trunks.own(world.deps, world.account_id).auth == "register"


def test_a_change_from_twilio_to_addresses_moves_the_claims(both, e164):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    by_address(both)
    assert both.stores.dids.at("twilio", e164) is None
    assert both.stores.dids.at("gateway-ip", e164)


def test_a_claim_that_moves_both_ways_has_half_the_bound(both, many, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunks.MAX_MOVED", 4)
    both.new_trunk(provider="twilio")
    for serial in range(3):
        both.new_did(f"+3318766{serial:04d}")
    with pytest.raises(trunks.TooManyDids) as refused:
        by_address(both)
    assert refused.value.limit == 2


def test_a_number_added_while_auth_changes_is_claimed_in_the_new_way(world, e164):
    stale = world.new_trunk()
    by_address(world)
    item = trunk_item(world.stores.trunks.record(stale.trunk_id))
    seen = []

    def once(account_id, name="main"):
        seen.append(name)
        return stale if len(seen) == 1 else type(stale).model_validate(item)

    world.stores.trunks.of_account = once
    world.new_did(e164)
    assert len(seen) == 2
    assert world.stores.dids.at("gateway-ip", e164)


def test_a_number_claimed_by_an_address_does_not_come_into_the_pool(world, e164):
    by_address(world)
    world.new_did(e164)
    with pytest.raises(NumberClaimed) as claimed:
        number_pool.add(world.deps, e164, "GB", "gateway", claimed={})
    assert claimed.value.account_id == world.account_id
    trunks.disconnect(world.deps, world.account_id)
    assert number_pool.add(world.deps, e164, "GB", "gateway", claimed={})


def test_a_trunk_stored_before_trunks_had_names_is_main(world, e164):
    trunk = world.new_trunk()
    record = world.stores.trunks.record(trunk.trunk_id)
    new = {"name", "auth", "networks", "srtp", "user_phone", "number_format", "dial_prefix",
           "caller_id_in", "keep_alive", "fallback"}  # fmt: skip
    old = {key: value for key, value in trunk_item(record).items() if key not in new}
    world.table.write(put({**old, "port": 5060}))
    assert trunks.own(world.deps, world.account_id).port == 5060
    assert names(world) == ["main"]
    world.new_did(e164)  # the trunk's count has conditions on these attributes
    assert trunks.credentials(world.deps, trunk) == "s3cret-pw"
    assert world.new_trunk().revision == 2


def test_closing_an_account_forgets_all_its_trunks(world):
    for name in ("main", "second", "third"):
        world.new_trunk(name=name)
    account_admin.close(world.deps, world.account_id)
    assert names(world) == []


def test_resealing_seals_the_passwords_of_all_trunks_and_skips_those_without(empty_table):
    world = World(empty_table)
    world.new_trunk()
    second = world.new_trunk(name="second", password="other")
    by_address(world, "third")
    before = world.stores.trunks.record(second.trunk_id).sealed_password
    result = reseal.everything(world.deps)
    assert (result.sealed, result.lost) == (2, 0)
    assert world.stores.trunks.record(second.trunk_id).sealed_password != before
    assert trunks.credentials(world.deps, second) == "other"


def test_a_trunk_without_a_password_is_fetched_without_one(world):
    trunk = by_address(world)
    fetched, password = gateway_trunks.fetch(world.deps, trunk.trunk_id)
    assert (fetched.username, password) == (None, None)
    assert "sealed_password" not in trunk_item(world.stores.trunks.record(trunk.trunk_id))


def test_a_trunk_that_answers_is_ready_and_its_owner_told_once(world):
    trunk = by_address(world)
    for code in (200, 404, 200):
        report(world, trunk, TrunkStatus.READY, code)
    assert trunks.own(world.deps, world.account_id).status is TrunkStatus.READY
    told = [event for event in events_of(world) if event.type.value == "trunk.registered"]
    assert [event.data["trunk"]["status"] for event in told] == ["ready"]
    report(world, trunk, TrunkStatus.FAILED, None, "It does not answer.")
    report(world, trunk, TrunkStatus.READY, 200)
    assert world.events().count("trunk.registered") == 2


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"outbound_proxy": "127.0.0.1"}, "outbound_proxy"),
        ({"outbound_proxy": "proxy.local:5060"}, "outbound_proxy"),
        ({"auth": "both", "networks": ["9.9.9.9/32", "10.0.0.0/24"]}, "networks"),
    ],
)
def test_proxies_and_networks_are_public_unless_private_trunks_are_allowed(world, settings, field):
    with pytest.raises(PrivateHost) as refused:
        world.new_trunk(**settings)
    assert refused.value.field == field
    world.deps = with_settings(world.deps, private_trunks=True)
    assert world.new_trunk(**settings)


def test_a_proxy_of_this_installation_is_refused(world):
    world.deps = with_settings(world.deps, own_hosts=frozenset({"api.test.example"}))
    with pytest.raises(OwnHost) as refused:
        world.new_trunk(outbound_proxy="api.test.example:5060")
    assert refused.value.field == "outbound_proxy"


def test_an_operator_can_refuse_trunks_that_do_not_register(world):
    world.deps = with_settings(world.deps, trunks_by_address=False)
    with pytest.raises(UnfitSetting, match="without a registration") as refused:
        by_address(world)
    assert refused.value.field == "auth"
    assert world.new_trunk(auth="both", networks=NETWORKS)


@pytest.mark.parametrize(
    ("settings", "field"), [({"fallback": ["second"]}, "fallback"), ({"country": "XX"}, "country")]
)
def test_settings_that_make_no_sense_for_this_trunk_are_refused(world, settings, field):
    with pytest.raises(UnfitSetting) as refused:
        world.new_trunk(name="second", **settings)
    assert refused.value.field == field
