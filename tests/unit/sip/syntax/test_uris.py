"""SIP, SIPS and tel URIs: RFC 3261 19.1, RFC 3966."""

from __future__ import annotations

import pytest

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.uri import OtherUri, SipUri, TelUri, escape_user, parse_sip_uri, parse_uri


def test_a_uri_has_user_password_host_port_parameters_and_headers():
    uri = parse_sip_uri("sip:alice:secret@Example.com:5070;transport=tcp;lr?Subject=hi&x=y")
    assert (uri.user, uri.password, uri.host, uri.port) == (
        "alice",
        "secret",
        "example.com",
        5070,
    )
    assert uri.params == {"transport": "tcp", "lr": None}
    assert uri.headers == "Subject=hi&x=y"
    assert uri.transport == "TCP"


def test_a_password_is_not_shown():
    assert "secret" not in repr(parse_sip_uri("sip:alice:secret@h"))


def test_a_uri_needs_no_user():
    uri = parse_sip_uri("sip:192.0.2.1:5060")
    assert (uri.user, uri.host, uri.port) == ("", "192.0.2.1", 5060)


def test_an_at_sign_without_a_user_is_passed_over():
    assert parse_sip_uri("sip:@h") == SipUri("h")


def test_sips_is_secure_and_the_scheme_is_in_any_case():
    assert parse_sip_uri("SIPS:alice@h").secure
    assert not parse_sip_uri("Sip:alice@h").secure


def test_an_ipv6_host_is_kept_without_brackets_and_written_with_them():
    uri = parse_sip_uri("sip:alice@[2001:DB8::0:1]:5061;lr")
    assert (uri.host, uri.port) == ("2001:db8::1", 5061)
    assert str(uri) == "sip:alice@[2001:db8::1]:5061;lr"


@pytest.mark.parametrize(
    "text",
    [
        "sip:a@[2001:db8::1",
        "sip:a@[hello]",
        "sip:a@2001:db8::1",
        "sip:a@[]",
    ],
)
def test_an_ipv6_host_that_is_none_is_refused(text):
    with pytest.raises(SipSyntaxError):
        parse_uri(text)


def test_an_ipv6_zone_is_refused_since_anything_could_stand_in_it():
    with pytest.raises(SipSyntaxError, match="zone"):
        parse_uri('sip:a@[fe80::1%"x" <y]')


def test_a_host_may_hold_an_underscore():
    assert parse_sip_uri("sip:100@my_pbx.local").host == "my_pbx.local"


def test_the_user_part_may_hold_what_separates_elsewhere():
    uri = parse_sip_uri("sip:user;par=u%40example.net@example.com")
    assert (uri.user, uri.host, uri.params) == ("user;par=u%40example.net", "example.com", {})
    assert uri.user_params == {"par": "u%40example.net"}
    assert parse_sip_uri("sip:a?b/c@h").user == "a?b/c"


def test_the_user_is_read_with_its_escapes_and_given_back_with_them():
    uri = parse_sip_uri("sip:%2B33%20x@h")
    assert uri.decoded_user == "+33 x"
    assert str(uri) == "sip:%2B33%20x@h"


def test_a_telephone_subscriber_in_the_user_part_has_parameters_of_its_own():
    uri = parse_sip_uri("sip:+33612345678;cpc=ordinary;isub@carrier.example;user=phone")
    assert uri.decoded_user == "+33612345678"
    assert uri.user_params == {"cpc": "ordinary", "isub": None}
    assert uri.params == {"user": "phone"}


def test_headers_begin_behind_the_parameters():
    uri = parse_sip_uri("sip:a@h;transport=tcp?Replaces=x%40y")
    assert uri.transport == "TCP"
    assert uri.headers == "Replaces=x%40y"


def test_escapes_that_are_not_needed_are_decoded_in_parameters():
    uri = parse_sip_uri("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31")
    assert uri.params == {"lr": None, "name": "value%2541"}
    assert uri.decoded_user == "caller"


def test_a_parameter_may_hold_brackets_and_is_written_without_quotes():
    text = "sip:a@h;x=(1)[2];y="
    assert str(parse_uri(text)) == text


def test_the_first_of_a_repeated_parameter_counts():
    assert parse_sip_uri("sip:h;transport=tcp;transport=udp").transport == "TCP"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@h",
        "sip:",
        "sip:alice@",
        "sip:alice@h:",
        "sip:alice@h:0x50",
        "sip:alice@h:65536",
        "sip:alice@h:123456",
        "sip:a b@h",
        'sip:a"b@h',
        "sip:a<b@h",
        "sip:a@h@i",
        "sip:a@h x",
        "sip:a@h?x y",
        "sip:a@h;x=é",
        "urn:",
        "http://a b",
        "tel:",
        "tel:+",
        "tel:12+3",
        "tel:abcxyz",
        "tel:123;x garbage",
    ],
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(SipSyntaxError):
        parse_uri(text)


def test_a_tel_uri_is_read_without_its_visual_separators():
    assert parse_uri("tel:+33-6.12(34)56-78") == TelUri("+33612345678")


def test_a_local_tel_uri_has_a_phone_context():
    uri = parse_uri("tel:0612345678;phone-context=+33;ext=5")
    assert uri == TelUri("0612345678", uri.params)
    assert uri.params == {"phone-context": "+33", "ext": "5"}
    assert str(uri) == "tel:0612345678;phone-context=+33;ext=5"


def test_a_local_tel_uri_may_hold_stars_and_the_keys_a_to_f():
    assert parse_uri("tel:*31#AF;phone-context=example.com").number == "*31#AF"


def test_a_uri_of_another_scheme_is_kept_as_it_is():
    assert parse_uri("urn:service:sos") == OtherUri("urn", "service:sos")
    assert str(parse_uri("soap.beep://192.0.2.103:3002")) == "soap.beep://192.0.2.103:3002"
    with pytest.raises(SipSyntaxError, match="SIP URI"):
        parse_sip_uri("tel:123")


def test_bare_keeps_scheme_user_and_host():
    uri = parse_sip_uri("sips:a:b@h:5061;lr?x=y")
    assert uri.bare() == SipUri("h", "a", scheme="sips")
    assert str(uri.bare()) == "sips:a@h"


@pytest.mark.parametrize(
    ("user", "written"),
    [("+33612345678", "+33612345678"), ("a@b", "a%40b"), ("12#", "12%23"), ("é", "%C3%A9")],
)
def test_a_user_is_escaped_and_read_again(user, written):
    uri = SipUri("h", escape_user(user))
    assert str(uri) == f"sip:{written}@h"
    assert parse_sip_uri(str(uri)).decoded_user == user
