"""Tests of the attribution of an inbound call to a trunk. A user name proves nothing."""

from __future__ import annotations

import ipaddress

import pytest

from gateway.legs.sip.attribution import (
    Attribution,
    Evidence,
    attribute,
    origin,
    trunk_of,
    user_of,
)
from gateway.trunks.networks import Networks

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


def test_a_registrar_that_other_processes_have_registrations_at_brings_the_call_to_none_here():
    here = Evidence(None, "192.0.2.1", lines=1)
    assert trunk_of(here, REGISTERED) == "trunk_a"
    assert trunk_of(Evidence(None, "192.0.2.1", lines=2), REGISTERED) is None
    assert trunk_of(Evidence("trunk_a", "192.0.2.1", lines=2), REGISTERED) == "trunk_a"


def test_the_edge_counts_registrations_by_address_and_we_know_ports_on_loopback():
    ours = {"trunk_a": "127.0.0.1:5060", "trunk_b": "127.0.0.1:5070"}
    assert trunk_of(Evidence(None, "127.0.0.1:5060", lines=2), ours) == "trunk_a"
    assert trunk_of(Evidence(None, "127.0.0.1:5060", lines=3), ours) is None


# ---- by networks ----


@pytest.fixture
def networks():
    found = Networks()
    for trunk_id, *held in (
        ("trunk_d", "198.51.100.0/24", "2001:db8:d::/48"),
        ("trunk_e", "203.0.113.0/28"),
        ("trunk_f", "203.0.113.0/24", "192.0.2.0/24"),
    ):
        assert found.put(trunk_id, [ipaddress.ip_network(each) for each in held])
    return found


def by(networks, source, contact_of=None, *, edge_lists=False):
    return attribute(Evidence(contact_of, source), REGISTERED, networks, edge_lists=edge_lists)


def test_a_call_from_a_network_of_one_trunk_is_its_call(networks):
    assert by(networks, "198.51.100.7") == Attribution("trunk_d")
    assert by(networks, "2001:db8:d::7") == Attribution("trunk_d")
    assert by(networks, "203.0.113.16") == Attribution("trunk_f")


def test_a_call_from_a_network_of_several_trunks_is_of_none_and_has_its_address(networks):
    shared = Attribution(None, "203.0.113.9", "203.0.113.0/28")
    assert by(networks, "203.0.113.9") == shared


def test_contact_and_registration_decide_over_networks(networks):
    assert by(networks, "198.51.100.7", "trunk_a") == Attribution("trunk_a")
    assert by(networks, "192.0.2.1") == Attribution("trunk_a")


def test_nobody_gets_calls_of_trunks_registered_at_one_host_by_naming_its_network(networks):
    assert by(networks, "192.0.2.2") == Attribution(None, "192.0.2.2", "192.0.2.0/24")


def test_a_call_from_edge_peers_is_of_no_trunk_and_has_its_address_if_networks_hold_it(networks):
    listed = by(networks, "198.51.100.7", edge_lists=True)
    assert listed == Attribution(None, "198.51.100.7", "198.51.100.0/24")
    assert by(networks, "198.51.99.7", edge_lists=True) == Attribution()


def test_a_call_from_no_network_is_of_no_trunk(networks):
    for source in ("198.51.99.255", "198.51.101.0", "2001:db8:e::1", "nonsense", "", None):
        assert by(networks, source) == Attribution()


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


def test_a_registrar_of_another_process_is_not_a_call_of_the_network_s_only_trunk(networks):
    evidence = Evidence(None, "198.51.100.7", lines=1)
    assert attribute(evidence, {}, networks, edge_lists=False).trunk_id is None
    evidence = Evidence(None, "198.51.100.7")
    assert attribute(evidence, {}, networks, edge_lists=False).trunk_id == "trunk_d"
