"""Tests of the forms in which carriers want numbers, over the numbering plans of all countries."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.dialled_number import written
from chalicelib.services.line.numbering_plans import DialledIn, facts_of
from tests.unit.domain.trunks import trunk

FRANCE = DialledIn("FR")
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


def _example(region, kind):
    number = phonenumbers.example_number_for_type(region, kind)
    form = phonenumbers.PhoneNumberFormat.E164
    return phonenumbers.format_number(number, form) if number else None


EXAMPLES = [
    e164
    for region in REGIONS
    for kind in KINDS
    if (e164 := _example(region, kind)) and facts_of(e164).valid
]
numbers = st.sampled_from(EXAMPLES)
countries = st.sampled_from([None, *REGIONS])


@pytest.mark.parametrize(
    ("number_format", "ours", "theirs"),
    [
        ("e164", "+33612345678", "+493012345678"),
        ("plain", "33612345678", "493012345678"),
        ("00", "0033612345678", "00493012345678"),
        ("national", "0612345678", "00493012345678"),
    ],
)
def test_a_number_is_written_as_the_carrier_wants_it(number_format, ours, theirs):
    assert written("+33612345678", number_format, FRANCE) == ours
    assert written("+493012345678", number_format, FRANCE) == theirs


@pytest.mark.parametrize(
    ("country", "e164", "national"),
    [
        ("US", "+12015550123", "2015550123"),
        ("US", "+16135550123", "6135550123"),  # of Canada, which is in the same plan
        ("IT", "+390612345678", "0612345678"),
        ("HU", "+3612345678", "0612345678"),
        ("DE", "+4915112345678", "015112345678"),
    ],
)
def test_a_national_number_has_the_prefix_of_its_country(country, e164, national):
    assert written(e164, "national", DialledIn(country)) == national


def test_a_number_is_written_with_00_where_the_trunks_country_is_not_known():
    assert written("+33612345678", "national", DialledIn(None)) == "0033612345678"


@given(numbers, st.sampled_from(["e164", "plain", "00", "national"]), countries)
def test_every_form_is_one_that_the_gateway_takes(e164, number_format, country):
    plans = DialledIn(country)
    assert re.fullmatch(r"[0-9+*#]{1,24}", written(e164, number_format, plans))
    # With the longest dial_prefix it still fits.
    assert trunk(dial_prefix="12345678").dial_prefix


@given(numbers, st.one_of(st.just("its own"), countries))
def test_a_national_form_means_the_same_number_in_the_country(e164, country):
    plans = DialledIn(facts_of(e164).country if country == "its own" else country)
    form = written(e164, "national", plans)
    if form.startswith("00") and form.removeprefix("00") == e164.removeprefix("+"):
        return
    assert plans.dialled(form) == e164


def test_nearly_all_numbers_have_a_form_of_their_own_country():
    def has_one(e164):
        return DialledIn(facts_of(e164).country).national(e164) is not None

    assert sum(map(has_one, EXAMPLES)) > 0.9 * len(EXAMPLES)


def test_a_national_form_that_would_be_read_as_another_number_is_not_used(monkeypatch):
    monkeypatch.setattr(DialledIn, "dialled", lambda *_: "+33699999999")
    assert written("+33612345678", "national", FRANCE) == "0033612345678"
