"""Addresses (RFC 3261 20.10): who calls, whatever stands in the name."""

from __future__ import annotations

import pytest

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, TelUri


def user(text: str) -> str:
    uri = Address.parse(text).uri
    assert isinstance(uri, SipUri)
    return uri.user


def test_an_address_has_name_uri_and_parameters():
    address = Address.parse('"Jean Dupont" <sip:jd@h;lr>;tag=1;x="a,b"')
    assert address.name == "Jean Dupont"
    assert str(address.uri) == "sip:jd@h;lr"
    assert address.params == {"tag": "1", "x": "a,b"}
    assert address.tag == "1"


def test_without_brackets_parameters_are_the_headers():
    address = Address.parse("sip:jd@h;tag=1")
    assert address.uri == SipUri("h", "jd")
    assert address.tag == "1"


def test_with_brackets_parameters_inside_are_the_uris():
    inside = Address.parse("<sip:+1972@gw;unknownparam>")
    outside = Address.parse("sip:+1972@gw;unknownparam")
    assert (inside.params, outside.params) == ({}, {"unknownparam": None})


@pytest.mark.parametrize(
    "text",
    [
        '"sip:+33999999999@x" <sip:+33612345678@h>',
        '"<sip:+33999999999@x>" <sip:+33612345678@h>',
        r'"a\" <sip:+33999999999@x>" <sip:+33612345678@h>',
        "sip:+33999999999@x <sip:+33612345678@h>",
        'sip:+33612345678@h;x="<sip:+33999999999@x>"',
        '<sip:+33612345678@h>;x="<sip:+33999999999@x>"',
    ],
)
def test_a_uri_in_a_name_or_a_parameter_is_not_who_calls(text):
    assert user(text) == "+33612345678"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Jean Dupont <sip:a@h>", "Jean Dupont"),
        ("caller<sip:a@h>", "caller"),
        ("Bell, Alexander <sip:a@h>", "Bell, Alexander"),
        ("  Müller: Hans   <sip:a@h>", "Müller: Hans"),
        (r'"J Rosenberg \\\"" <sip:a@h>', 'J Rosenberg \\"'),
        ('"" <sip:a@h>', ""),
        ("<sip:a@h>", ""),
        ('"a"<sip:a@h>', "a"),
    ],
)
def test_names_are_read_quoted_or_not(text, name):
    assert Address.parse(text).name == name
    assert user(text) == "a"


def test_blanks_around_the_uri_are_skipped():
    assert user('"Watson, Thomas" < sip:t.watson@example.org >') == "t.watson"


def test_an_address_may_be_of_a_telephone():
    assert Address.parse("<tel:+33612345678>;tag=1").uri == TelUri("+33612345678")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        '"Jean Dupont"',
        '"" sip:a@h',
        '"a" sip:a@h',
        '"a" b <sip:a@h>',
        '"Mr. J. User <sip:j.user@example.com>',
        "Jean <sip:a@h",
        "<sip:a@h> garbage",
        "<sip:a@h>, <sip:b@h>",
        "<sip:a@h>;x=<y>",
        "sip:a@h, sip:b@h",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        'foo "<sip:+33999999999@x>" <sip:+33612345678@h>',
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(SipSyntaxError):
        Address.parse(text)


def test_an_address_is_written_with_quotes_and_brackets():
    address = Address(SipUri("h", "a"), 'say "hi" \\ now').tagged("7")
    assert str(address) == r'"say \"hi\" \\ now" <sip:a@h>;tag=7'
    assert Address.parse(str(address)) == address


def test_a_new_tag_replaces_the_old_one():
    assert str(Address.parse("<sip:a@h>;tag=1;x=y").tagged("2")) == "<sip:a@h>;tag=2;x=y"
