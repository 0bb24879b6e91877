"""Tests of the attribution of an inbound call to a trunk. A user name proves nothing."""

from __future__ import annotations

from gateway.legs.sip.attribution import Evidence, origin, trunk_of, user_of

REGISTERED = {"trunk_a": "192.0.2.1", "trunk_b": "192.0.2.2", "trunk_c": "192.0.2.2"}
ELSEWHERE = "203.0.113.9"


def test_a_call_to_the_registered_contact_belongs_to_its_trunk_from_any_address():
    assert trunk_of(Evidence("trunk_a", ELSEWHERE), REGISTERED) == "trunk_a"
    assert trunk_of(Evidence("trunk_a", "192.0.2.2"), REGISTERED) == "trunk_a"


def test_the_edge_s_trunk_decides_over_contact_and_address():
    assert trunk_of(Evidence("trunk_b", "192.0.2.2", "trunk_a"), REGISTERED) == "trunk_a"


def test_a_call_from_a_trunks_registrar_belongs_to_the_trunk():
    assert trunk_of(Evidence(None, "192.0.2.1"), REGISTERED) == "trunk_a"


def test_a_call_from_elsewhere_to_no_contact_belongs_to_no_trunk():
    assert trunk_of(Evidence(None, ELSEWHERE), REGISTERED) is None
    assert trunk_of(Evidence(None, None), REGISTERED) is None


def test_a_host_shared_by_two_trunks_brings_the_call_to_neither_but_by_a_contact():
    assert trunk_of(Evidence(None, "192.0.2.2"), REGISTERED) is None
    assert trunk_of(Evidence("trunk_c", "192.0.2.2"), REGISTERED) == "trunk_c"


def test_sources_on_loopback_are_told_apart_by_port():
    assert origin("127.0.0.1:5062") == "127.0.0.1:5062"
    assert origin("192.0.2.1:5062") == "192.0.2.1"
    assert origin("[2001:db8::1]:5060") == "2001:db8::1"
    assert origin("") is None


def test_the_user_of_a_request_uri_is_read_with_and_without_brackets():
    assert user_of("<sip:u-x1@192.0.2.1;transport=udp>") == "u-x1"
    assert user_of("sips:u-x1@192.0.2.1") == "u-x1"
    assert user_of("sip:192.0.2.1") == ""
    assert user_of("") == ""
