"""Tests of the headers and names that pass between an INVITE and applications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.sip_headers import (
    MAX_BYTES,
    MAX_CALLER_NAME,
    MAX_HEADERS,
    MAX_VALUE,
    allowed,
    fault,
    kept,
    name_fault,
    plain_name,
)
from common.uri_headers import decode, encode

NAMES = st.from_regex(r"\AX-[A-Za-z0-9._-]{1,10}\Z") | st.just("User-to-User")
HOSTILE = st.text(max_size=300) | st.text("\r\n\0\t X-:%&?=<>\"'\udcff", max_size=40)


@pytest.mark.parametrize("name", ["X-Order", "x-order_id.2", "User-to-User", "USER-TO-USER"])
def test_x_headers_and_user_to_user_pass(name: str) -> None:
    assert allowed(name)
    assert kept([(name, "1")]) == {name: "1"}
    assert fault({name: "1"}) is None


@pytest.mark.parametrize(
    "name",
    [
        "X-Chamade-Source",
        "x-chamade-trunk",
        "X-Twilio-CallSid",
        "X-Call-Sid",
        "x-call-sid-2",
        "Route",
        "From",
        "Authorization",
        "X-",
        "X-A B",
        "X-A\r\nVia",
        "X-É",
        f"X-{'a' * 63}",
        "",
    ],
)
def test_other_headers_do_not_pass(name: str) -> None:
    assert kept([(name, "1")]) == {}
    assert fault({name: "1"}) is not None


@pytest.mark.parametrize(
    "value", ["a\r\nVia: x", "a\0b", "", "a" * (MAX_VALUE + 1), "a\udcff", "\u202ea"]
)
def test_values_that_no_line_can_hold_are_refused_going_out(value: str) -> None:
    assert fault({"X-A": value}) is not None


@pytest.mark.parametrize("value", ["a\0b", " ", "a" * (MAX_VALUE + 1), "a\udcff", "\u202ea"])
def test_values_that_cannot_be_shown_are_left_out_coming_in(value: str) -> None:
    assert kept([("X-A", value), ("X-B", "2")]) == {"X-B": "2"}


def test_of_a_name_that_comes_twice_the_first_counts() -> None:
    assert kept([("X-A", "1"), ("x-a", "2")]) == {"X-A": "1"}
    assert fault({"X-A": "1", "x-a": "2"}) is not None


def test_headers_beyond_the_number_are_left_out_or_refused() -> None:
    many = {f"X-{i}": "1" for i in range(MAX_HEADERS + 1)}
    assert kept(many.items()) == dict(list(many.items())[:MAX_HEADERS])
    assert fault(many) is not None


def test_headers_beyond_the_bytes_are_left_out_or_refused() -> None:
    long = {f"X-{i}": "é" * MAX_VALUE for i in range(5)}
    assert list(kept(long.items())) == ["X-0", "X-1", "X-2"]
    assert fault(long) is not None


@given(st.lists(st.tuples(NAMES | HOSTILE, HOSTILE), max_size=40))
def test_whatever_strangers_send_what_is_kept_could_be_sent_on(fields) -> None:
    found = kept(fields)
    assert fault(found) is None
    text = "".join([*found, *found.values()])
    assert text.isprintable()
    assert len(text.encode()) <= MAX_BYTES


@given(st.dictionaries(NAMES, st.text(min_size=1, max_size=60), max_size=8))
def test_what_may_be_sent_comes_back_from_its_uri_form(headers) -> None:
    if fault(headers) is None and headers:
        text = encode(headers)
        assert decode(text) == headers
        assert not set(text) & set(' \r\n<>"?@;,')


@given(st.text("X-Aab=&%0D0A%\r\n?;@<>é", max_size=60))
def test_a_malformed_uri_form_is_refused_and_never_breaks_a_line(text: str) -> None:
    try:
        headers = decode(text)
    except ValueError:
        return
    assert fault(headers) is None


@pytest.mark.parametrize(
    "text", ["Anonymous", "UNKNOWN", "", "  ", "+33 6 12 34", "0612345678", "Private  Caller"]
)
def test_names_that_name_nobody_are_none(text: str) -> None:
    assert plain_name(text) == ""


def test_a_name_is_one_line_and_short() -> None:
    assert plain_name(' Zoë\t\r\n "Z" Dupont\0') == 'Zoë "Z" Dupont'
    assert len(plain_name("a" * 500)) == MAX_CALLER_NAME


@given(HOSTILE)
def test_a_name_of_a_stranger_could_be_sent_on(text: str) -> None:
    name = plain_name(text)
    assert not name or name_fault(name) is None
