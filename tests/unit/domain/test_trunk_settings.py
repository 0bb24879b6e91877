"""What can be one's settings of a trunk."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.domain.trunks import refusal, settings


@pytest.mark.parametrize(
    "username", ["", "a" * 65, "a b", "é", "a\n", *(f"a{c}" for c in '@:;<>"?')]
)
def test_a_username_that_sip_accounts_cannot_carry_is_refused_and_says_so(username):
    assert "SIP accounts cannot carry" in refusal(username=username)


@pytest.mark.parametrize("password", ["", "x" * 129, 'a"b', "a\\b", "a\nb", "a\x00b"])
def test_a_password_that_sip_accounts_cannot_carry_is_refused_without_repeating_it(password):
    with pytest.raises(ValidationError) as refused:
        settings(password=password)
    assert "SIP accounts cannot carry" in refused.value.errors()[0]["msg"]
    if len(password) > 2:
        assert password not in str(refused.value)
        assert password not in refused.value.errors()[0]["msg"]


def test_a_password_may_hold_whatever_else_can_be_printed():
    odd = "p@:;<>?#%&=+ ' ü"
    assert settings(password=odd).password.get_secret_value() == odd


@pytest.mark.parametrize(
    ("given_", "port"),
    [
        ({}, 5060),
        ({"transport": "tcp"}, 5060),
        ({"transport": "tls"}, 5061),
        ({"transport": "tls", "port": 5060}, 5060),
    ],
)
def test_the_port_follows_the_transport_unless_given(given_, port):
    assert settings(**given_).port == port


@pytest.mark.parametrize(
    "changes",
    [{"port": 0}, {"port": 65536}, {"transport": "ws"}, {"provider": "acme"}, {"caller_id": "06"},
     {"allowed_countries": ["FRA"]}, {"allowed_countries": ["F1"]}, {"realm": 'a"b'},
     {"realm": ""}, {"colour": "red"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(changes):
    assert refusal(**changes)


@pytest.mark.parametrize("char", ["\r", "\n", "\x00", "\x7f", " ", '"', ";", "@", "é"])
@pytest.mark.parametrize("length", [0, 63, 64, 100, 127])
def test_a_realm_is_checked_to_its_last_character(char, length):
    assert settings(realm="r" * length + "r").realm
    assert "a realm is" in refusal(realm="r" * length + char)
    if length < 127:
        assert "a realm is" in refusal(realm="r" * length + char + "r")


@pytest.mark.parametrize("host", ["twilio.com", "x.sip.twilio.com", "X.SIP.Twilio.COM."])
def test_the_gateway_does_not_call_into_the_operators_own_sip_domain(host):
    assert "provider twilio" in refusal(host=host)
    assert settings(host=host, provider="twilio").host == host.lower().removesuffix(".")


@pytest.mark.parametrize("host", ["nottwilio.com", "twilio.com.example", "twilio.example"])
def test_a_host_that_only_looks_like_twilios_is_taken(host):
    assert settings(host=host).host == host


def test_countries_are_held_once_each_in_capitals():
    assert settings(allowed_countries=["fr", "DE", "FR"]).allowed_countries == ("DE", "FR")
