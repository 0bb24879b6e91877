"""Tests of dialling with several trunks: which is chosen, what is fallen back to, and the numbers
as each carrier wants them.
"""

from __future__ import annotations

import pytest

from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.providers.base import CallStatus, DialRoute
from chalicelib.services.call import dial, outbound
from chalicelib.services.line import trunks
from tests.support.world import CALLEE
from tests.unit.services.dialling import expect_refusal

OURS, SECOND, THIRD = "+33199005678", "+33199005679", "+33199005670"


def order_of(world):
    return world.provider.dialled[-1]


def routes_of(world):
    return [(route.trunk_id, route.to, route.caller_id) for route in order_of(world).routes]


@pytest.fixture
def pair(world):
    """Two trunks that are registered at one host; the first falls back to the second."""
    first = world.register_trunk(fallback=["second"], caller_id=OURS)
    second = world.register_trunk(name="second", caller_id=SECOND)
    return first, second


def test_a_call_through_the_only_trunk_is_ordered_as_before(world):
    trunk = world.register_trunk()
    call = world.dial()
    assert (order_of(world).trunk_id, order_of(world).routes) == (trunk.trunk_id, ())
    assert (call.trunk_id, call.trunk, call.routes) == (trunk.trunk_id, "main", ())


def test_a_call_has_a_route_for_each_trunk_that_may_place_it(world, pair):
    first, second = pair
    call = world.dial()
    assert routes_of(world) == [
        (first.trunk_id, CALLEE, OURS),
        (second.trunk_id, CALLEE, SECOND),
    ]
    assert order_of(world).trunk_id == call.trunk_id == first.trunk_id
    assert (order_of(world).to, order_of(world).caller_id) == (CALLEE, OURS)
    assert world.reread(call) == call
    assert len(call.routes) == 2


def test_the_trunk_that_is_named_places_the_call(world, pair):
    _, second = pair
    call = world.dial(trunk="second")
    assert (call.trunk_id, call.from_) == (second.trunk_id, SECOND)
    assert expect_refusal(world, trunk="third").code == "no_trunk"


def test_the_trunk_that_has_the_caller_id_places_the_call(world, pair):
    _, second = pair
    assert world.dial(caller_id=SECOND).trunk_id == second.trunk_id
    world.new_did(THIRD, name="second")
    assert expect_refusal(world, caller_id=THIRD).code == "bad_caller_id"
    world.call_number(second, THIRD)
    call = world.dial(caller_id=THIRD)
    assert (call.trunk_id, call.from_) == (second.trunk_id, THIRD)


def test_a_fallback_shows_the_chosen_number_only_if_it_is_its_own(world, pair):
    _, second = pair
    world.new_did(OURS, name="second")
    world.dial()
    assert [route[2] for route in routes_of(world)] == [OURS, SECOND]
    world.call_number(second, OURS)
    world.dial()
    assert [route[2] for route in routes_of(world)] == [OURS, OURS]


def test_a_fallback_without_a_number_to_show_is_skipped(world):
    world.register_trunk(fallback=["second"])
    world.register_trunk(name="second", caller_id=None)
    world.dial()
    assert order_of(world).routes == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"caller_id": "+12015550123"},  # may dial the US only
        {"caller_id": "+12015550123", "allowed_countries": ["DE"]},
    ],
)
def test_a_fallback_dials_only_what_its_own_settings_allow(world, settings):
    world.register_trunk(fallback=["second"], caller_id=OURS)
    world.register_trunk(name="second", **settings)
    world.dial()
    assert order_of(world).routes == ()


def test_a_fallback_does_not_widen_what_the_chosen_trunk_may_dial(world):
    world.register_trunk(fallback=["second"], caller_id=OURS)
    world.register_trunk(name="second", allowed_countries=["GB"], caller_id=SECOND)
    refused = expect_refusal(world, to="+442079460000")
    assert refused.code == "country_not_allowed"


def test_a_trunk_that_is_not_registered_is_skipped_if_another_can_be_used(world, pair):
    first, second = pair
    world.report_trunk(first, TrunkStatus.FAILED, 403, "Wrong password.")
    call = world.dial()
    assert (call.trunk_id, call.trunk, call.line) == (second.trunk_id, "second", SECOND)
    assert (order_of(world).trunk_id, order_of(world).routes) == (second.trunk_id, ())
    world.report_trunk(second, TrunkStatus.FAILED, None, "No answer.")
    refused = expect_refusal(world)
    assert (refused.code, refused.detail) == ("trunk_not_registered", "Wrong password.")


def test_fallbacks_that_are_gone_or_not_usable_are_skipped(world):
    first = world.register_trunk(fallback=["gone", "waits", "third"])
    world.new_trunk(name="waits", caller_id=SECOND)
    third = world.register_trunk(name="third", caller_id=THIRD)
    world.dial()
    assert [route[0] for route in routes_of(world)] == [first.trunk_id, third.trunk_id]


def test_a_fallback_of_a_fallback_is_not_tried(world):
    world.register_trunk(fallback=["second"])
    world.register_trunk(name="second", caller_id=SECOND, fallback=["third"])
    world.register_trunk(name="third", caller_id=THIRD)
    world.dial()
    assert len(routes_of(world)) == 2


def test_a_call_that_asks_for_tls_falls_back_only_to_trunks_that_have_it(world):
    world.register_trunk(transport="tls", fallback=["second", "third"])
    world.register_trunk(name="second", caller_id=SECOND)
    third = world.register_trunk(name="third", caller_id=THIRD, transport="tls")
    request = dial.DialRequest(f"sips:{CALLEE}@sip.carrier.example")
    dial.dial(world.deps, world.account_id, request)
    assert [route[0] for route in routes_of(world)][1:] == [third.trunk_id]


def test_a_trunk_that_is_ready_places_calls(world):
    settings = {"auth": "ip", "networks": ["9.9.9.9/32"], "username": None, "password": None}
    trunk = world.new_trunk(caller_id=OURS, **settings)
    assert expect_refusal(world).code == "trunk_not_registered"
    world.report_trunk(trunk, TrunkStatus.READY, 405)
    assert world.dial().trunk_id == trunk.trunk_id


@pytest.mark.parametrize(
    ("settings", "to", "caller_id"),
    [
        ({"number_format": "plain"}, "33199001234", "33199005678"),
        ({"number_format": "00"}, "0033199001234", "0033199005678"),
        ({"number_format": "national"}, "0199001234", "0199005678"),
        ({"number_format": "national", "country": "DE"}, "0033199001234", "0033199005678"),
        ({"dial_prefix": "0"}, "0+33199001234", "+33199005678"),
        ({"number_format": "national", "dial_prefix": "9"}, "90199001234", "0199005678"),
    ],
)
def test_numbers_are_written_as_the_carrier_wants_them(world, settings, to, caller_id):
    trunk = world.register_trunk(caller_id=OURS, **settings)
    call = world.dial()
    assert order_of(world).routes == (DialRoute(trunk.trunk_id, to, caller_id),)
    assert (order_of(world).to, order_of(world).caller_id) == (CALLEE, OURS)
    assert (call.to, call.from_, call.line) == (CALLEE, OURS, OURS)


def test_each_route_has_the_form_of_its_own_carrier(world):
    world.register_trunk(fallback=["second"], number_format="00")
    world.register_trunk(name="second", caller_id=SECOND, dial_prefix="0")
    world.dial()
    assert [route[1:] for route in routes_of(world)] == [
        ("0033199001234", "0033199005678"),
        ("0+33199001234", SECOND),
    ]


def test_a_trunk_of_twilio_gets_the_number_as_its_carrier_wants_it(both):
    both.register_trunk(provider="twilio", number_format="plain", dial_prefix="0")
    both.dial()
    (order,) = both.deps.providers["twilio"].dialled
    assert order.to == "sip:033199001234@sip.carrier.example;transport=udp"
    assert (order.caller_id, order.routes) == ("33199005678", ())
    both.register_trunk(provider="twilio", port=5080, transport="tls")
    both.dial()
    order = both.deps.providers["twilio"].dialled[-1]
    assert order.to == f"sip:{CALLEE}@sip.carrier.example:5080;transport=tls"


def status(world, call, status_, trunk):
    sid = call.provider_call_id
    outbound.handle_status(
        world.deps, "gateway", call.call_id, sid, status_, None, trunk.trunk_id if trunk else None
    )


def test_a_call_that_goes_on_shows_its_present_trunk_and_number(world, pair):
    first, second = pair
    call = world.dial()
    sid = call.provider_call_id
    status(world, call, CallStatus.OTHER, first)
    assert world.reread(call) == call
    status(world, call, CallStatus.RINGING, second)
    now = world.reread(call)
    assert (now.trunk_id, now.trunk, now.from_, now.line) == (
        second.trunk_id, "second", SECOND, SECOND,
    )  # fmt: skip
    assert now.state.value == "ringing"
    status(world, call, CallStatus.OTHER, first)  # a late post
    assert world.reread(call) == now
    outbound.answered(world.deps, "gateway", call.call_id, sid, second.trunk_id)
    assert world.reread(call).trunk == "second"


def test_a_post_that_names_a_trunk_of_no_route_changes_nothing(world, pair):
    stranger, _ = world.new_account()
    theirs = world.register_trunk(stranger)
    other = world.register_trunk(name="other", caller_id=THIRD)
    call = world.dial()
    for trunk in (theirs, other, None):
        status(world, call, CallStatus.OTHER, trunk)
    assert world.reread(call) == call


def test_a_transition_that_read_the_call_before_it_went_on_does_not_undo_that(world, pair):
    _, second = pair
    call = world.dial()
    status(world, call, CallStatus.OTHER, second)
    stale = call  # as another process has read it
    from chalicelib.domain.call_transitions import Act
    from chalicelib.services.call.transition import settle

    assert settle(world.deps, stale, Act.RING).trunk == "second"


def test_many_trunks_give_an_account_no_more_calls(world):
    for name in ("main", "second", "third"):
        world.register_trunk(name=name, caller_id=OURS)
    most = world.stores.accounts.get(world.account_id).max_concurrent_dials
    for number in range(most):
        world.dial(trunk=("main", "second", "third")[number % 3])
    assert expect_refusal(world, trunk="third").code == "too_many_dials"


def test_trunks_connected_an_hour_are_counted_together(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 2)
    world.new_trunk()
    world.new_trunk(name="second")
    with pytest.raises(trunks.TooManyConnects):
        world.new_trunk(name="third")


def test_another_accounts_trunk_is_no_fallback(world):
    stranger, _ = world.new_account()
    world.register_trunk(stranger, name="second", caller_id=SECOND)
    world.register_trunk(fallback=["second"])
    world.dial()
    assert order_of(world).routes == ()
    with pytest.raises(NotDialled):
        world.dial(trunk="second")
