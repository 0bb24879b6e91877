"""Tests of caller and called party, read from headers as carriers write them."""

from __future__ import annotations

import pytest
from baresip import Config
from hypothesis import given
from hypothesis import strategies as st

from gateway.legs.sip.headers import EXPOSED, parties, party


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("<sip:+33199001234@carrier.example>;tag=1", "+33199001234"),
        ('"Alice, \\"A\\"" <sip:+33199001234@carrier.example:5061;transport=tls>', "+33199001234"),
        ("sip:0199001234@10.0.0.1", "0199001234"),
        ("<sip:+33199001234;npdi=yes@carrier.example;user=phone>", "+33199001234"),
        ("<sip:%2B33199001234@carrier.example>", "+33199001234"),
        ("<tel:+33-1-99-00-12-34;phone-context=x>", "+33199001234"),
        ("<sips:alice@example.com>", "sips:alice@example.com"),
        ("<sip:carrier.example>", "sip:carrier.example"),
        ("<sip:acct42@carrier.example>", "sip:acct42@carrier.example"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_a_party_is_named_by_its_number_or_its_uri(header, found):
    assert party(header) == found


def test_the_called_number_is_read_from_to():
    who = parties({"To": "<sip:+1555@gw>", "From": "<sip:+33199@c>;tag=1"}, "")
    assert (who.to, who.from_) == ("+1555", "+33199")


def test_p_called_party_id_takes_precedence_over_to():
    found = parties({"To": "<sip:acct@c>", "P-Called-Party-ID": "<sip:+33199001234@c>"}, "")
    assert found.to == "+33199001234"


def test_the_request_uri_is_used_if_it_is_a_number():
    to = {"To": "<sip:+33199001234@c>"}
    contact = parties(to | {"X-Chamade-Request-URI": "sip:acct42-a1b2@gw"}, "")
    number = parties(to | {"X-Chamade-Request-URI": "sip:+33199009999@gw"}, "")
    assert (contact.to, number.to) == ("+33199001234", "+33199009999")


def test_p_asserted_identity_takes_precedence_over_from():
    headers = {"From": "<sip:acct@c>", "P-Asserted-Identity": "<tel:+33199001234>"}
    assert parties(headers, "").from_ == "+33199001234"


@pytest.mark.parametrize(
    "headers",
    [
        {"From": '"Anonymous" <sip:anonymous@anonymous.invalid>'},
        {"From": "<sip:+33199001234@c>", "Privacy": "id"},
        {},
    ],
)
def test_a_caller_who_withholds_the_number_is_anonymous(headers):
    assert parties(headers, "").from_ == "anonymous"


def test_the_last_diversion_names_the_forwarding_number():
    value = '<sip:+33199001234@c>;reason=no-answer, "B, Inc" <sip:+33199005678@c>;reason=busy'
    assert parties({"Diversion": value}, "").forwarded_from == "+33199001234"


def test_history_info_names_the_forwarding_number():
    history = "<sip:+33199001234@c>;index=1, <sip:+33199005678@c?Reason=SIP>;index=1.1"
    assert parties({"History-Info": history}, "").forwarded_from == "+33199001234"


def test_a_history_of_one_entry_is_no_forwarding():
    assert parties({"History-Info": "<sip:+33199001234@c>;index=1"}, "").forwarded_from is None


@pytest.mark.parametrize(
    ("called", "forwarder"),
    [("+33199005678", "+33199001234"), ("+33199001234", None), ("0199001234", None)],
)
def test_a_single_history_entry_different_from_to_names_the_forwarding_number(called, forwarder):
    headers = {"To": f"<sip:{called}@c>", "History-Info": "<sip:+33199001234@c>;index=1"}
    assert parties(headers, "").forwarded_from == forwarder


@pytest.mark.parametrize("name", ["From", "P-Asserted-Identity", "To", "Diversion"])
def test_a_number_in_a_display_name_is_nobodys(name):
    headers = {"From": "<sip:acct@c>", "To": "<sip:acct@c>"}
    headers[name] = '"sip:+33999999999@x" <sip:+33199001234@c>'
    who = parties(headers, "")
    assert "+33199001234" in (who.to, who.from_, who.forwarded_from)
    assert "+33999999999" not in (who.to, who.from_, who.forwarded_from)


def test_headers_are_found_by_their_short_names_and_in_any_case():
    who = parties({"t": "<sip:+1555@gw>", "F": "<sip:+33199@c>;tag=1"}, "")
    assert (who.to, who.from_) == ("+1555", "+33199")
    assert parties({"PRIVACY": "id", "From": "<sip:+33199@c>"}, "").from_ == "anonymous"


def test_a_folded_header_is_read_as_one_line():
    assert parties({"From": '"Bob\r\n Smith"\r\n\t<sip:+33199@c>'}, "").from_ == "+33199"


def test_the_stacks_word_for_the_caller_counts_only_without_from():
    assert parties({"To": "<sip:+1555@gw>"}, "sip:+33199@c").from_ == "+33199"
    assert parties({"From": "nonsense"}, "sip:+33199@c").from_ == "anonymous"


@pytest.mark.parametrize("name", ["Remote-Party-ID", "P-Preferred-Identity"])
def test_the_number_beside_an_account_in_from_is_the_callers(name):
    assert name in EXPOSED
    headers = {"From": "<sip:acct@c>", name: "<sip:+33199001234@c>"}
    assert parties(headers, "").from_ == "+33199001234"


def test_the_stack_takes_no_more_names_than_are_exposed():
    Config(net_interface="127.0.0.1", expose_headers=EXPOSED)


@given(st.dictionaries(st.sampled_from(["To", "From", "Diversion", "History-Info"]), st.text()))
def test_arbitrary_headers_give_short_single_line_parties(headers):
    who = parties(headers, "")
    for value in (who.to, who.from_, who.forwarded_from or "x"):
        assert 0 < len(value) <= 255
        assert "\n" not in value
        assert "\r" not in value
