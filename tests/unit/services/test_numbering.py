"""Tests of libphonenumber, as far as the rules rely on it: an update must not change this."""

from __future__ import annotations

import pytest

from chalicelib.domain.caller_number import in_full
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.toll_guard import check_number
from chalicelib.services.line.numbering_plans import DialledIn, facts_of, home_country

EVERYWHERE = {"FR", "US", "GB", "DE", "JM", "CU", "LV"}


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+33199001234", "FR"),
        ("+12025550123", "US"),
        ("+442079460123", "GB"),
        ("+18765551234", "JM"),
        ("+77012345678", "KZ"),
        ("+441534123456", "JE"),
    ],
)
def test_numbers_with_a_shared_country_code_have_their_own_country(number, country):
    facts = facts_of(number)
    assert (facts.valid, facts.country) == (True, country)


@pytest.mark.parametrize(
    "number",
    [
        "+33899123456",  # French premium rate
        "+19005551234",  # +1 900
        "+491371234567",  # German mass calling
        "+447012345678",  # British 070, personal
        "+447640123456",  # British pager
        "+870772001234",  # Inmarsat
        "+881612345678",  # Iridium
        "+883510012345",
        "+882161234567",
        "+979123456789",
        "+80812345678",
        "+8781234567890",
    ],
)
def test_premium_numbers_are_refused(number):
    with pytest.raises(NotDialled) as refused:
        check_number(number, facts_of(number), EVERYWHERE)
    assert refused.value.code == "premium_number"


@pytest.mark.parametrize("number", ["+3312345", "+15555500103", "+33000000000", "+9991234567"])
def test_unallocated_numbers_are_invalid(number):
    assert not facts_of(number).valid


@pytest.mark.parametrize(
    "number", ["+330612345678", "+4407911123456", "+112025550123", "+784951234567"]
)
def test_a_number_that_contains_its_national_prefix_is_invalid(number):
    """libphonenumber reads past it; dialled it would be another number than the one checked."""
    assert not facts_of(number).valid


@pytest.mark.parametrize("number", ["+390612345678", "+5491123456789", "+2250102030405"])
def test_a_leading_zero_or_nine_that_belongs_to_the_number_is_valid(number):
    assert facts_of(number).valid


def test_an_own_number_has_a_country_even_if_the_plan_does_not_list_it():
    assert home_country("+33199001234") == "FR"
    assert home_country("+15555500103") == "US"
    assert home_country("+883510012345") is None
    assert home_country("+9991234567") is None


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        ("FR", "0612345678", "+33612345678"),
        ("FR", "33612345678", "+33612345678"),
        ("FR", "0033612345678", "+33612345678"),
        ("FR", "612345678", "+33612345678"),
        ("FR", "4915112345678", "+4915112345678"),
        ("FR", "12125550123", "+12125550123"),
        ("FR", "tel:0612345678;phone-context=+33", "+33612345678"),
        ("FR", "tel:015112345678;phone-context=+49", "+4915112345678"),
        ("FR", "tel:33612345678;phone-context=+33", "+33612345678"),
        ("FR", "431234567", "431234567"),  # Vienna, or Brittany without its zero
        ("FR", "tel:112;phone-context=+33", "112"),
        ("US", "2125550123", "+12125550123"),
        ("US", "12125550123", "+12125550123"),
        ("US", "01133612345678", "+33612345678"),
        ("US", "0612345678", "0612345678"),
        ("IT", "0612345678", "+390612345678"),  # Italy keeps the zero
        ("RU", "89161234567", "+79161234567"),
        ("DE", "4915112345678", "+4915112345678"),
        ("DE", "33612345678", "33612345678"),  # France, or Brandenburg without its zero
        (None, "0612345678", "0612345678"),
        (None, "tel:0612345678;phone-context=+33", "+33612345678"),
    ],
)
def test_a_number_is_read_as_its_country_dials_it(country, written, number):
    assert in_full(written, DialledIn(country)) == number


@pytest.mark.parametrize(
    ("numbers", "country"),
    [
        (["+33199001234", "+33612345678"], "FR"),
        (["+12025550123", "+16135550123"], "US"),  # Canada dials as the United States do
        (["+15555500103"], "US"),
        (["+33199001234", "+442079460123"], None),
        (["+883510012345"], None),
        (["+9991234567"], None),
        ([], None),
    ],
)
def test_the_country_of_a_trunk_is_the_one_that_all_its_numbers_are_of(numbers, country):
    assert DialledIn.with_numbers(numbers).country == country
