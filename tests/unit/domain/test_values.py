"""Tests of small values: numbers, instants, keys, tokens, cursors, the control signature."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import account, cursor, instant
from chalicelib.domain.phone import BadNumber, called_number, parse_e164
from common import control

NOW_S = 1_790_000_000


@pytest.mark.parametrize("text", ["+33612345678", "+33 6 12 34 56 78", "+33-612.345(678)"])
def test_separators_in_a_number_are_ignored(text):
    assert parse_e164(text) == "+33612345678"


@pytest.mark.parametrize(
    "text",
    ["", "+", "0612345678", "33612345678", "+0612345678", "+1234", "+" + "1" * 16, "+33a",
     "+٣٣٦١٢٣٤٥٦٧٨", "+33612345678\n+1"],
)  # fmt: skip
def test_malformed_numbers_are_refused(text):
    with pytest.raises(BadNumber, match=r"E\.164"):
        parse_e164(text)


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("+15550000001", "+15550000001"),
        ("sip:+15550000001@host", "+15550000001"),
        ("sips:+15550000001@host:5061;transport=tls", "+15550000001"),
        ("sip:alice@host", None),
        ("anonymous", None),
        ("", None),
    ],
)
def test_the_called_number_is_read_from_a_providers_to(address, number):
    assert called_number(address) == number


@given(st.integers(0, 253402300799998))
def test_instants_survive_a_round_trip_through_text_and_sort_as_text(ms):
    text = instant.to_text(ms)
    assert instant.from_text(text) == ms
    assert len(text) == 24
    assert instant.to_text(ms + 1) > text


def test_a_key_is_recognised_and_a_mistyped_one_refused():
    key = account.mint_key()
    assert account.looks_like_key(key)
    for position in (len("chmd_live_"), len(key) // 2, len(key) - 1):
        other = "a" if key[position] != "a" else "b"
        assert not account.looks_like_key(key[:position] + other + key[position + 1 :])
    assert not account.looks_like_key(key[:-1])
    assert not account.looks_like_key("")
    assert not account.looks_like_key("chmd_live_" + "é" * 49)


def test_keys_are_unique_and_stored_hashed():
    keys = {account.mint_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key not in account.key_hash(key) for key in keys)


@given(st.text(string.printable, max_size=60))
def test_a_cursor_opens_for_its_own_account_and_list_only(place):
    sealed = cursor.seal("secret", "acc_1", "calls", place)
    assert cursor.unseal("secret", "acc_1", "calls", sealed) == place
    for account_id, listing in (("acc_2", "calls"), ("acc_1", "events")):
        with pytest.raises(cursor.BadCursor):
            cursor.unseal("secret", account_id, listing, sealed)


@given(st.text(max_size=60))
def test_made_up_cursors_are_refused(text):
    with pytest.raises(cursor.BadCursor):
        cursor.unseal("secret", "acc_1", "calls", text)


def test_a_control_signature_holds_for_its_body_path_and_minute():
    header = control.sign("secret", "/media/attach", b"{}", NOW_S)
    assert control.verify("secret", "/media/attach", b"{}", header, NOW_S + 60)
    assert not control.verify("secret", "/media/attach", b"{}", header, NOW_S + 61)
    assert not control.verify("secret", "/media/attach", b"{}", header, NOW_S - 61)
    assert not control.verify("secret", "/media/report", b"{}", header, NOW_S)
    assert not control.verify("secret", "/media/attach", b"{ }", header, NOW_S)
    assert not control.verify("other", "/media/attach", b"{}", header, NOW_S)


@given(st.none() | st.text(max_size=120))
def test_made_up_control_signatures_are_refused(header):
    assert not control.verify("secret", "/media/attach", b"{}", header, NOW_S)


@pytest.mark.parametrize("header", ["t=,v1=", "t=1,v1=é", "t=²,v1=00", "t=99999999999999,v1=0"])
def test_malformed_control_signatures_are_refused_without_an_exception(header):
    assert not control.verify("secret", "/media/attach", b"{}", header, NOW_S)
