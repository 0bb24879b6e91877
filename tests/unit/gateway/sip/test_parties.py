"""The parties of a call as webhooks name them. Whom headers name is tested with the SIP library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.sip_headers import Introduction
from gateway.legs.sip.parties import Parties, parties
from gateway.sip.syntax.fields import Headers


def named(headers: dict[str, str], request_uri: str = "sip:gw") -> Parties:
    return parties(Headers(headers.items()), request_uri)


def test_numbers_are_named_as_numbers() -> None:
    who = named({"To": "<sip:+1555@gw>", "From": '"Bob" <sip:+33199001234@c;user=phone>;tag=1'})
    assert who == Parties("+1555", "+33199001234", None, Introduction(caller_name="Bob"))


def test_others_are_named_by_their_uri() -> None:
    who = named({"To": "<sips:bob@c:5061>", "From": "<sip:acct42@carrier.example>;tag=1"})
    assert (who.to, who.from_) == ("sips:bob@c", "sip:acct42@carrier.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"From": '"Anonymous" <sip:anonymous@anonymous.invalid>'},
        {"From": "<sip:+33199001234@c>", "Privacy": "id"},
        {},
    ],
)
def test_a_caller_who_withholds_the_number_is_anonymous(headers: dict[str, str]) -> None:
    assert named(headers).from_ == "anonymous"


def test_the_number_that_the_carrier_sent_the_call_to_is_the_called_one() -> None:
    to = {"To": "<sip:+33199001234@c>"}
    assert named(to, "sip:acct42-a1b2@gw").to == "+33199001234"
    assert named(to, "sip:+33199009999@gw").to == "+33199009999"


def test_the_forwarding_number_is_named() -> None:
    value = '<sip:+33199001234@c>;reason=no-answer, "B, Inc" <sip:+33199005678@c>;reason=busy'
    assert named({"Diversion": value}).forwarded_from == "+33199001234"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"From": '"Zoë \\"Z\\"" <sip:+331@c>'}, 'Zoë "Z"'),
        ({"From": "Bob Smith <sip:bob@c>"}, "Bob Smith"),
        ({"P-Asserted-Identity": '"ACME" <sip:+331@c>', "From": '"Bob" <sip:+332@c>'}, "ACME"),
        ({"P-Asserted-Identity": "<sip:+331@c>", "From": '"Bob" <sip:bob@c>'}, "Bob"),
        ({"Remote-Party-ID": '"Desk" <sip:+331@c>;party=calling', "From": "<sip:+332@c>"}, "Desk"),
        ({"From": '"+33 6 12" <sip:+33612@c>'}, ""),
    ],
)
def test_the_caller_s_name_is_that_of_the_header_that_names_the_caller(headers, name) -> None:
    assert named(headers).introduction.caller_name == name


@pytest.mark.parametrize(
    "headers",
    [
        {"From": '"Bob" <sip:anonymous@anonymous.invalid>'},
        {"From": '"Bob" <sip:+331@c>', "Privacy": "id"},
        {"From": '"Bob" <sip:+331@c>', "P-Asserted-Identity": "<sip:+332@c>", "Privacy": "user"},
        {"From": '"Anonymous" <sip:+331@c>'},
    ],
)
def test_a_caller_who_hides_has_no_name(headers: dict[str, str]) -> None:
    assert not named(headers).introduction.caller_name


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        (
            {"P-Asserted-Identity": "<tel:+331;verstat=TN-Validation-Passed>"},
            "TN-Validation-Passed",
        ),
        ({"From": "<sip:+331;verstat=TN-Validation-Failed@c>"}, "TN-Validation-Failed"),
        (
            {
                "From": "<sip:+331;verstat=No-TN-Validation@c>",
                "P-Asserted-Identity": "<sip:+332@c>",
            },
            "",
        ),
        ({"From": "<sip:+331;verstat=Trust-Me@c>"}, ""),
    ],
)
def test_the_carrier_s_word_about_the_caller_s_number_is_told(headers, word) -> None:
    assert named(headers).introduction.stir_verstat == word


def test_headers_of_the_allow_list_are_told() -> None:
    headers = {"X-Order": "12", "X-Chamade-Trunk": "t", "Route": "<sip:x>", "User-to-User": "00"}
    assert named(headers).introduction.headers == {"X-Order": "12", "User-to-User": "00"}


@given(
    st.dictionaries(
        st.sampled_from(["To", "From", "Diversion", "History-Info"]),
        st.text(st.characters(exclude_characters="\r\n")),
    )
)
def test_arbitrary_headers_give_short_single_line_parties(headers: dict[str, str]) -> None:
    who = named(headers)
    for value in (who.to, who.from_, who.forwarded_from or "x"):
        assert 0 < len(value) <= 255
        assert "\n" not in value
        assert "\r" not in value
