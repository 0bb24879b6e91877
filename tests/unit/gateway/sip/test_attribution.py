"""Tests of the attribution of an inbound call to a trunk. A user name proves nothing."""

from __future__ import annotations

from gateway.legs.sip.attribution import Evidence, origin, trunk_of

REGISTERED = {"trunk_a": "192.0.2.1", "trunk_b": "192.0.2.2", "trunk_c": "192.0.2.2"}


def evidence(**changes) -> Evidence:
    facts = {
        "chosen": None,
        "registered": False,
        "contact": None,
        "request_user": None,
        "source": "203.0.113.9",
    }
    return Evidence(**(facts | changes))


def test_a_call_to_the_registered_contact_belongs_to_its_trunk_from_any_address():
    known = evidence(chosen="trunk_a", registered=True, contact="u-x1", request_user="u-x1")
    assert trunk_of(known, REGISTERED) == "trunk_a"


def test_the_edge_s_trunk_decides_over_the_chosen_one():
    proof = evidence(chosen="trunk_b", source="192.0.2.2", edge_says="trunk_a")
    assert trunk_of(proof, REGISTERED) == "trunk_a"


def test_a_call_to_a_guessed_user_name_belongs_to_no_trunk():
    guess = evidence(chosen="trunk_a", registered=True, contact="u-x1", request_user="u")
    assert trunk_of(guess, REGISTERED) is None


def test_a_call_from_a_trunks_registrar_belongs_to_the_trunk():
    assert trunk_of(evidence(source="192.0.2.1"), REGISTERED) == "trunk_a"
    assert trunk_of(evidence(chosen="trunk_a", source="192.0.2.1"), REGISTERED) == "trunk_a"


def test_a_host_shared_by_two_trunks_brings_the_call_to_the_called_agents_trunk():
    called = evidence(chosen="trunk_c", registered=True, source="192.0.2.2")
    assert trunk_of(called, REGISTERED) == "trunk_c"


def test_a_host_shared_by_two_trunks_brings_the_call_to_neither_if_no_agent_was_called():
    assert trunk_of(evidence(source="192.0.2.2"), REGISTERED) is None


def test_a_trunk_that_only_claims_a_carriers_number_gets_none_of_its_calls():
    """By a user name, or a caller ID, that is another's number: it is not registered there."""
    claimed = evidence(chosen="trunk_of_a_thief", source="192.0.2.1", request_user="+33199001234")
    assert trunk_of(claimed, REGISTERED) == "trunk_a"
    unknown = evidence(chosen="trunk_of_a_thief", request_user="+33199001234")
    assert trunk_of(unknown, REGISTERED) is None


def test_a_call_to_a_registered_agent_belongs_to_its_trunk_without_an_edge():
    assert trunk_of(evidence(chosen="trunk_x", registered=True), REGISTERED) == "trunk_x"
    assert trunk_of(evidence(chosen="trunk_x"), REGISTERED) is None


def test_sources_on_loopback_are_told_apart_by_port():
    assert origin("127.0.0.1:5062") == "127.0.0.1:5062"
    assert origin("192.0.2.1:5062") == "192.0.2.1"
    assert origin("[2001:db8::1]:5060") == "2001:db8::1"
    assert origin("") is None
