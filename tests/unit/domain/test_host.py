"""Tests of hosts: one spelling, public or private."""

from __future__ import annotations

import pytest

from chalicelib.domain.host import public_host
from tests.unit.domain.trunks import refusal, settings


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ("SIP.Carrier.Example", "sip.carrier.example"),
        ("sip.carrier.example.", "sip.carrier.example"),
        ("203.0.113.9", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8:0::1]", "2001:db8::1"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_is_normalised_to_one_spelling(host, held):
    assert settings(host=host).host == held


@pytest.mark.parametrize(
    "host",
    ["", " ", "sip:carrier.example", "u@carrier.example", "a b.example", "carrier.example:5060",
     "carrier.example\n", "-a.example", "a..b", "127.1", "0x7f.1", "2130706433", "a.0x7f",
     "fe80::1%eth0", "[sip.example]", "münchen.example", ".".join(["a" * 60] * 5), "a" * 64],
)  # fmt: skip
def test_a_malformed_host_is_refused_with_an_example(host):
    assert "sip.example.com" in refusal(host=host)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "localhost", "a.localhost", "pbx",
     "pbx.local", "db.internal", "router.home.arpa", "192.0.2.1", "2001:db8::1"],
)  # fmt: skip
def test_private_hosts_are_recognised(host):
    assert not public_host(settings(host=host).host)


@pytest.mark.parametrize(
    "host", ["sip.carrier.com", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_hosts_are_recognised(host):
    assert public_host(settings(host=host).host)
