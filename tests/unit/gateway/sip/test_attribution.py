"""Whose call is it? A user name proves nothing."""

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


def test_the_secret_contact_is_believed_from_anywhere():
    known = evidence(chosen="trunk_a", registered=True, contact="u-x1", request_user="u-x1")
    assert trunk_of(known, REGISTERED) == "trunk_a"


def test_the_edge_knows_whose_contact_it_is():
    told = evidence(chosen="trunk_b", source="192.0.2.2", edge_says="trunk_a")
    assert trunk_of(told, REGISTERED) == "trunk_a"


def test_a_guessed_user_name_is_not():
    guess = evidence(chosen="trunk_a", registered=True, contact="u-x1", request_user="u")
    assert trunk_of(guess, REGISTERED) is None


def test_where_a_trunk_is_registered_is_believed():
    assert trunk_of(evidence(source="192.0.2.1"), REGISTERED) == "trunk_a"
    assert trunk_of(evidence(chosen="trunk_a", source="192.0.2.1"), REGISTERED) == "trunk_a"


def test_of_two_trunks_registered_at_a_host_the_one_whose_agent_was_called():
    called = evidence(chosen="trunk_c", registered=True, source="192.0.2.2")
    assert trunk_of(called, REGISTERED) == "trunk_c"


def test_of_two_trunks_registered_at_a_host_none_if_neither_was_called():
    assert trunk_of(evidence(source="192.0.2.2"), REGISTERED) is None


def test_who_only_says_that_a_carrier_is_his_gets_none_of_its_calls():
    """By a user name, or a caller ID, that is another's number: it is not registered there."""
    claimed = evidence(chosen="trunk_of_a_thief", source="192.0.2.1", request_user="+33199001234")
    assert trunk_of(claimed, REGISTERED) == "trunk_a"
    unknown = evidence(chosen="trunk_of_a_thief", request_user="+33199001234")
    assert trunk_of(unknown, REGISTERED) is None


def test_without_an_edge_the_registering_agent_is_believed():
    assert trunk_of(evidence(chosen="trunk_x", registered=True), REGISTERED) == "trunk_x"
    assert trunk_of(evidence(chosen="trunk_x"), REGISTERED) is None


def test_on_loopback_the_port_tells_who_is_who():
    assert origin("127.0.0.1:5062") == "127.0.0.1:5062"
    assert origin("192.0.2.1:5062") == "192.0.2.1"
    assert origin("[2001:db8::1]:5060") == "2001:db8::1"
    assert origin("") is None
