"""Tests of a trunk's settings: which are valid."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.domain.trunks import refusal, settings, trunk


@pytest.mark.parametrize(
    "username", ["", "a" * 65, "a b", "é", "a\n", *(f"a{c}" for c in '@:;<>"?')]
)
def test_an_invalid_username_is_refused_with_the_reason(username):
    assert "SIP accounts cannot carry" in refusal(username=username)


@pytest.mark.parametrize("password", ["", "x" * 129, 'a"b', "a\\b", "a\nb", "a\x00b"])
def test_an_invalid_password_is_refused_without_repeating_it(password):
    with pytest.raises(ValidationError) as refused:
        settings(password=password)
    assert "SIP accounts cannot carry" in refused.value.errors()[0]["msg"]
    if len(password) > 2:
        assert password not in str(refused.value)
        assert password not in refused.value.errors()[0]["msg"]


def test_a_password_may_hold_any_other_printable_character():
    odd = "p@:;<>?#%&=+ ' ü"
    assert settings(password=odd).password.get_secret_value() == odd


@pytest.mark.parametrize(
    ("given_", "port", "usual"),
    [
        ({}, None, 5060),
        ({"transport": "tcp"}, None, 5060),
        ({"transport": "tls"}, None, 5061),
        ({"transport": "tls", "port": 5060}, 5060, 5060),
    ],
)
def test_the_port_is_found_by_dns_unless_it_is_given(given_, port, usual):
    made = trunk(**given_)
    assert (made.port, made.usual_port) == (port, usual)


@pytest.mark.parametrize(
    "changes",
    [{"port": 0}, {"port": 65536}, {"transport": "ws"}, {"provider": "acme"}, {"caller_id": "06"},
     {"allowed_countries": ["FRA"]}, {"allowed_countries": ["F1"]}, {"realm": 'a"b'},
     {"realm": ""}, {"colour": "red"}],
)  # fmt: skip
def test_invalid_settings_are_refused(changes):
    assert refusal(**changes)


@pytest.mark.parametrize("char", ["\r", "\n", "\x00", "\x7f", " ", '"', ";", "@", "é"])
@pytest.mark.parametrize("length", [0, 63, 64, 100, 127])
def test_a_realm_is_checked_to_its_last_character(char, length):
    assert settings(realm="r" * length + "r").realm
    assert "a realm is" in refusal(realm="r" * length + char)
    if length < 127:
        assert "a realm is" in refusal(realm="r" * length + char + "r")


@pytest.mark.parametrize(
    "host", ["twilio.com", "x.sip.twilio.com", "X.SIP.Twilio.COM.", "mine.pstn.twilio.com"]
)
@pytest.mark.parametrize("provider", ["gateway", "twilio"])
def test_a_trunk_with_a_host_at_twilio_is_refused(host, provider):
    assert "none of twilio.com" in refusal(host=host, provider=provider)


@pytest.mark.parametrize("realm", ["x.sip.twilio.com", "X.SIP.Twilio.com"])
def test_a_trunk_with_a_realm_at_twilio_is_refused(realm):
    assert "none of twilio.com" in refusal(host="sip.carrier.example", realm=realm)


@pytest.mark.parametrize("host", ["nottwilio.com", "twilio.com.example", "twilio.example"])
def test_a_host_that_only_resembles_twilios_is_accepted(host):
    assert settings(host=host).host == host


def test_countries_are_kept_once_each_in_capitals():
    assert settings(allowed_countries=["fr", "DE", "FR"]).allowed_countries == ("DE", "FR")
