"""Tests of the match between the called number of a carrier and a trunk's numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.did_matching import international_forms, match_did
from tests.unit.domain.trunks import did

PARIS, LYON, NEW_YORK = did("+33187654321"), did("+33478654399"), did("+12125550123")
THREE = [PARIS, LYON, NEW_YORK]


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        ("+33187654321", PARIS),
        ("33187654321", PARIS),
        ("0033187654321", PARIS),
        ("01133187654321", PARIS),
        ("0187654321", PARIS),
        ("187654321", PARIS),
        ("+33 1 87-65.43(21)", PARIS),
        ("sip:+33187654321@pbx.example:5060;transport=tls", PARIS),
        ("SIPS:0187654321@pbx.example", PARIS),
        ("sip:+33187654321;npdi;user=phone@pbx.example", PARIS),
        ("sip:%2B33187654321@pbx.example", PARIS),
        ("sip:+33187654321:pw@pbx.example", PARIS),
        ('"Desk" <sip:0033187654321@pbx.example>;tag=x', PARIS),
        ("tel:+33187654321", PARIS),
        ("2125550123", NEW_YORK),
        ("12125550123", NEW_YORK),
        ("5550123", NEW_YORK),
        ("654399", LYON),
        ("54399", None),  # too few digits
        ("0054399", None),
        ("+187654321", None),  # with a plus it is a whole number, of somebody else
        ("+33100000000", None),
        ("0612345678", None),
        ("sip:acct42@pbx.example", None),  # three numbers: which?
        ("sip:pbx.example", None),
        ("anonymous", None),
        ("", None),
    ],
)
def test_each_carriers_spelling_finds_the_number(called, meant):
    assert match_did(called, THREE) is meant


def test_an_ending_shared_by_two_numbers_matches_neither():
    twins = [did("+33187654321"), did("+32187654321")]
    assert match_did("187654321", twins) is None
    assert match_did("0032187654321", twins) is twins[1]


@pytest.mark.parametrize("called", ["sip:acct42@pbx.example", "acct42", "sip:s@host", "", "sip:h"])
def test_an_account_name_matches_the_trunks_only_number(called):
    assert match_did(called, [PARIS]) is PARIS
    assert match_did(called, []) is None


def test_an_account_name_of_digits_is_treated_as_a_name():
    assert match_did("sip:200451@pbx.example", [PARIS]) is None
    assert match_did("sip:200451@pbx.example", [PARIS], "200451") is PARIS
    assert match_did("200451", THREE, "200451") is None
    assert match_did("0187654321", THREE, "0187654321") is PARIS


def test_another_number_does_not_match_the_only_one():
    assert match_did("+33100000000", [PARIS]) is None
    assert match_did("12345", [PARIS]) is None


e164s = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(st.lists(e164s, min_size=1, max_size=6, unique=True), st.data())
def test_every_international_spelling_finds_the_number_among_others(numbers, data):
    dids = [did(e164) for e164 in numbers]
    meant = data.draw(st.sampled_from(dids))
    digits = meant.e164[1:]
    assert match_did(meant.e164, dids) is meant
    wrapped = data.draw(st.sampled_from(["{}", "sip:{}@h", "sips:{}@h:5061;a=b", "<sip:{}@h>"]))
    for written in (f"+{digits}", f"00{digits}", f"011{digits}", digits):
        found = match_did(wrapped.format(written), dids)
        # Digits alone may be, to the letter, another number with its prefix left away.
        assert found is meant or found.e164[1:] in written


@given(st.text(max_size=40), st.lists(e164s, max_size=6, unique=True))
def test_no_text_of_few_digits_matches_one_of_several_numbers(called, numbers):
    dids = [did(e164) for e164 in numbers]
    found = match_did(called, dids)
    digits = [char for char in called if char.isdigit()]
    if found is not None and len(dids) > 1:
        assert len(digits) >= 6
    assert found is None or found in dids


@given(st.lists(e164s, min_size=2, max_size=6, unique=True), st.integers(6, 12), st.data())
def test_a_national_form_matches_if_exactly_one_number_ends_with_it(numbers, length, data):
    dids = [did(e164) for e164 in numbers]
    digits = data.draw(st.sampled_from(numbers))[1:][-length:]
    if any(form in numbers for form in international_forms(digits)):
        return
    ending = digits.removeprefix("0")
    meant = [each for each in dids if each.e164.endswith(ending)] if len(ending) >= 6 else []
    assert match_did(digits, dids) is (meant[0] if len(meant) == 1 else None)
