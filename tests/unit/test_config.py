"""Tests of settings: a missing one is named, and secrets do not show."""

from __future__ import annotations

import pytest

from chalicelib.config import BadConfig, from_environment

ENV = {
    "CHAMADE_TABLE": "t",
    "CHAMADE_PUBLIC_URL": "https://api.test/api/",
    "CHAMADE_RELAY_URL": "wss://relay.test/",
    "CHAMADE_RING_STATE_MACHINE": "arn",
    "CHAMADE_DELIVERY_STATE_MACHINE": "arn:delivery",
    "CHAMADE_TOKEN_SECRET": "s3cret-token",
    "CHAMADE_CONTROL_SECRET": "s3cret-control",
    "CHAMADE_TWILIO_ACCOUNT_SID": "AC1",
    "CHAMADE_TWILIO_AUTH_TOKEN": "s3cret-auth",
}


def test_settings_are_read_without_trailing_slashes():
    config = from_environment(ENV)
    assert (config.public_url, config.relay_url) == ("https://api.test/api", "wss://relay.test")
    (twilio,) = config.accounts
    assert (twilio.name, twilio.api_url) == ("twilio", "https://api.twilio.com")


def test_both_providers_can_be_configured():
    more = {
        "CHAMADE_GATEWAY_ACCOUNT_SID": "AC2",
        "CHAMADE_GATEWAY_AUTH_TOKEN": "t",
        "CHAMADE_GATEWAY_API_URL": "http://gw/",
    }
    names = {each.name: each.api_url for each in from_environment(ENV | more).accounts}
    assert names == {"twilio": "https://api.twilio.com", "gateway": "http://gw"}


@pytest.mark.parametrize("name", sorted(set(ENV) - {"CHAMADE_TWILIO_ACCOUNT_SID"}))
def test_a_missing_setting_is_named(name):
    with pytest.raises(BadConfig, match=name):
        from_environment({k: v for k, v in ENV.items() if k != name})


def test_settings_without_a_provider_are_refused():
    without = {k: v for k, v in ENV.items() if "TWILIO" not in k}
    with pytest.raises(BadConfig, match="no trunking provider"):
        from_environment(without)


@pytest.mark.parametrize("name", ["CHAMADE_RELAY_URL", "CHAMADE_GATEWAY_SOCKET_URL"])
def test_a_socket_url_of_another_scheme_is_refused(name):
    with pytest.raises(BadConfig, match=f"{name} must start with ws://"):
        from_environment(ENV | {name: "https://relay.test"})


def test_the_gateways_socket_url_is_optional():
    assert from_environment(ENV).gateway_socket_url == ""
    settings = from_environment(ENV | {"CHAMADE_GATEWAY_SOCKET_URL": "wss://gw.test/"})
    assert settings.gateway_socket_url == "wss://gw.test"


def test_settings_for_trunks_are_optional():
    config = from_environment(ENV)
    assert (config.kms_key_id, config.key_file, config.gateway_control_secret) == ("", "", "")
    assert (config.twilio_sip_domain, config.allow_private_trunks) == (None, False)


def test_settings_for_trunks_are_read():
    more = {
        "CHAMADE_KEY_FILE": "/keys/vault",
        "CHAMADE_GATEWAY_CONTROL_SECRET": "s3cret-gateway",
        "CHAMADE_TWILIO_SIP_DOMAIN": "x.sip.twilio.com",
        "CHAMADE_ALLOW_PRIVATE_TRUNKS": "1",
    }
    config = from_environment(ENV | more)
    assert (config.key_file, config.twilio_sip_domain) == ("/keys/vault", "x.sip.twilio.com")
    assert config.allow_private_trunks
    assert config.gateway_control_secret == "s3cret-gateway"
    assert "s3cret" not in repr(config)
    assert not from_environment(ENV | {"CHAMADE_ALLOW_PRIVATE_TRUNKS": "0"}).allow_private_trunks


def test_trunks_without_a_registration_are_the_operators_choice():
    assert from_environment(ENV).trunks_by_address
    closed = ENV | {"CHAMADE_TRUNKS_BY_ADDRESS": "closed"}
    assert not from_environment(closed).trunks_by_address
    with pytest.raises(BadConfig, match="CHAMADE_TRUNKS_BY_ADDRESS is open or closed"):
        from_environment(ENV | {"CHAMADE_TRUNKS_BY_ADDRESS": "no"})


def test_private_webhooks_are_the_operators_choice():
    assert not from_environment(ENV).allow_private_webhooks
    assert from_environment(ENV | {"CHAMADE_ALLOW_PRIVATE_WEBHOOKS": "1"}).allow_private_webhooks


def test_how_many_tries_an_account_has_at_a_time_is_the_operators_choice():
    assert from_environment(ENV).tries_at_once == 40
    assert from_environment(ENV | {"CHAMADE_TRIES_AT_ONCE": "4"}).tries_at_once == 4
    for wrong in ("0", "-1", "many", "1001", "²"):
        with pytest.raises(BadConfig, match="CHAMADE_TRIES_AT_ONCE"):
            from_environment(ENV | {"CHAMADE_TRIES_AT_ONCE": wrong})


def test_settings_for_two_vaults_are_refused():
    both = {"CHAMADE_KMS_KEY_ID": "alias/chamade", "CHAMADE_KEY_FILE": "/keys/vault"}
    with pytest.raises(BadConfig, match="not both"):
        from_environment(ENV | both)


def test_secrets_do_not_appear_in_the_repr():
    assert "s3cret" not in repr(from_environment(ENV))


@pytest.mark.parametrize(
    ("setting", "is_open"), [({}, True), ({"CHAMADE_SIGN_UP": ""}, True),
    ({"CHAMADE_SIGN_UP": "open"}, True), ({"CHAMADE_SIGN_UP": "closed"}, False)],
)  # fmt: skip
def test_sign_up_is_open_unless_it_is_closed(setting, is_open):
    assert from_environment(ENV | setting).sign_up_open is is_open


def test_a_misspelt_sign_up_setting_is_refused():
    with pytest.raises(BadConfig, match="CHAMADE_SIGN_UP is open or closed"):
        from_environment(ENV | {"CHAMADE_SIGN_UP": "close"})


def test_the_hosts_of_the_installation_are_known_in_one_spelling_and_private_ones_left_out():
    more = {
        "CHAMADE_PUBLIC_URL": "https://API.Chamade.example/prod",
        "CHAMADE_RELAY_URL": "wss://relay.chamade.example:8443",
        "CHAMADE_GATEWAY_SOCKET_URL": "wss://b\u00fccher.example",
        "CHAMADE_GATEWAY_ACCOUNT_SID": "AC1",
        "CHAMADE_GATEWAY_AUTH_TOKEN": "secret",
        "CHAMADE_GATEWAY_API_URL": "http://10.0.0.5:8080",
        "CHAMADE_SIP_HOSTS": "sip.chamade.example., 198.51.100.7",
    }
    assert from_environment(ENV | more).own_hosts >= {
        "api.chamade.example",
        "relay.chamade.example",
        "xn--bcher-kva.example",
        "sip.chamade.example",
        "api.twilio.com",
    }
    assert "10.0.0.5" not in from_environment(ENV | more).own_hosts
    local = {"CHAMADE_PUBLIC_URL": "http://127.0.0.1:1", "CHAMADE_RELAY_URL": "ws://localhost:2"}
    assert not {"127.0.0.1", "localhost"} & from_environment(ENV | local).own_hosts


VOICE = {"CHAMADE_VOICE_SECRET": "s3cret-voice"}


def test_voice_hosts_are_read_with_their_secret():
    urls = {"CHAMADE_VOICE_URLS": "http://10.0.0.5:8705/, https://voice.test http://10.0.0.5:8705"}
    config = from_environment(ENV | VOICE | urls)
    assert config.voice_urls == ("http://10.0.0.5:8705", "https://voice.test")
    assert "s3cret-voice" not in repr(config)
    assert "voice.test" in config.own_hosts
    assert from_environment(ENV).voice_urls == ()
    with pytest.raises(BadConfig, match="CHAMADE_VOICE_SECRET"):
        from_environment(ENV | urls)


@pytest.mark.parametrize(
    "urls",
    [
        "ws://voice.test",
        "voice.test:8705",
        "http://",
        "http://voice.test/prefix",
        " ".join(f"http://voice-{n}.test" for n in range(17)),
    ],
)
def test_voice_hosts_that_cannot_be_are_refused(urls):
    with pytest.raises(BadConfig, match="CHAMADE_VOICE_URLS"):
        from_environment(ENV | VOICE | {"CHAMADE_VOICE_URLS": urls})


def test_the_relays_door_is_an_http_url():
    config = from_environment(ENV | {"CHAMADE_RELAY_DOOR_URL": "http://127.0.0.1:8706/"})
    assert config.relay_door_url == "http://127.0.0.1:8706"
    with pytest.raises(BadConfig, match="CHAMADE_RELAY_DOOR_URL"):
        from_environment(ENV | {"CHAMADE_RELAY_DOOR_URL": "wss://relay.test"})
