"""Tests of the E.164 form of numbers that a carrier writes as its country dials them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.caller_number import in_full, needs_reading

MOBILE = "+33612345678"


class Plans:
    """Numbering plans that know a few numbers, and how a country dials them."""

    def __init__(self, allocated=(), dialled=None, country="FR"):
        self.country = country
        self._allocated, self._dialled = allocated, dialled or {}

    def is_allocated(self, e164):
        return e164 in self._allocated

    def dialled(self, written):
        return self._dialled.get(written)


@pytest.mark.parametrize(
    "written", ["33612345678", "0033612345678", "01133612345678", "0612345678", "612345678"]
)
def test_a_number_that_can_be_read_in_one_way_is_read(written):
    plans = Plans([MOBILE], {"0612345678": MOBILE, "612345678": MOBILE, "33612345678": MOBILE})
    assert in_full(written, plans) == MOBILE


def test_a_number_that_can_be_read_in_two_ways_stays_as_it_is():
    plans = Plans(["+431234567"], {"431234567": "+33431234567"})
    assert in_full("431234567", plans) == "431234567"


def test_a_number_that_is_not_allocated_stays_as_it_is():
    assert in_full("0612345678", Plans()) == "0612345678"


def test_without_a_country_only_a_number_with_its_prefix_is_read():
    plans = Plans([MOBILE], {"0612345678": MOBILE}, country=None)
    assert in_full("0033612345678", plans) == MOBILE
    assert in_full("33612345678", plans) == "33612345678"
    assert in_full("0612345678", plans) == "0612345678"


def test_a_local_number_is_read_in_its_own_country():
    local = "tel:0612345678;phone-context=+49"
    plans = Plans(dialled={local: "+49612345678"}, country=None)
    assert in_full(local, plans) == "+49612345678"
    assert in_full("tel:112;phone-context=+33", plans) == "112"


@pytest.mark.parametrize(
    "written",
    ["anonymous", "client:dashboard", MOBILE, "sip:0612345678@x", "112", "123456", "*31#0612345678",
     "tel:0612345678", "", "0" * 19, "\uff10" * 10],
)  # fmt: skip
def test_what_is_no_dialled_number_needs_no_reading(written):
    plans = Plans(dialled={written: MOBILE})
    assert not needs_reading(written)
    assert in_full(written, plans) == written


@given(st.text(max_size=30) | st.text("0123456789+tel:;=", max_size=30))
def test_a_text_is_read_or_stays_as_it_is(written):
    assert in_full(written, Plans()) == written or written.startswith("tel:")
