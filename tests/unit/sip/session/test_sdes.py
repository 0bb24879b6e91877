"""Tests of a=crypto lines (RFC 4568): which are usable, and why others are not."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.session import sdes
from gateway.sip.session.sdes import Crypto, Unusable
from gateway.sip.session.sdp import Attribute, Media

KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()
EIGHTY = "AES_CM_128_HMAC_SHA1_80"


def media(*values):
    attributes = tuple(Attribute("crypto", value) for value in values)
    return Media("audio", 4000, "RTP/SAVP", ("0",), attributes=attributes)


@pytest.mark.parametrize(
    "value",
    [
        f"1 {EIGHTY} inline:{TEXT}",
        f"1  {EIGHTY.lower()}  INLINE:{TEXT}",
        f"1 {EIGHTY} inline:{TEXT}|2^20",
        f"1 {EIGHTY} inline:{TEXT}|1048576",
        f"1 {EIGHTY} inline:{TEXT}|",
        f"1 {EIGHTY} inline:{TEXT} WSH=64",
        f"1 {EIGHTY} inline:{TEXT}|2^31 -future=1 WSH=128",
    ],
)
def test_a_key_is_read_in_every_form_that_changes_nothing(value):
    assert sdes.read(value) == Crypto(1, EIGHTY, KEY)


def test_a_key_without_its_padding_is_read():
    key = base64.b64encode(bytes(28)).decode()
    assert key.endswith("=")
    for text in (key, key.rstrip("=")):
        assert sdes.read(f"2 AEAD_AES_128_GCM inline:{text}").key == bytes(28)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"1 {EIGHTY} inline:{TEXT}|2^20|1:4", "MKI"),
        (f"1 {EIGHTY} inline:{TEXT}|1:4", "MKI"),
        (f"1 {EIGHTY} inline:{TEXT}|2^20|1:4;inline:{TEXT}|2^20|2:4", "exactly one key"),
        (f"1 {EIGHTY} prompt:{TEXT}", "exactly one key"),
        (f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}", "F8_128"),
        (f"1 {EIGHTY} inline:{TEXT} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        (f"1 {EIGHTY} inline:{TEXT} KDR=1", "KDR=1"),
        (f"1 {EIGHTY} inline:{TEXT} future=1", "future=1"),
        (f"1 {EIGHTY} inline:%%%%", "not base64"),
        (f"1 {EIGHTY} inline:é", "not base64"),
        (f"1 {EIGHTY} inline:{TEXT[:-4]}", "27 bytes instead of 30"),
        (f"x {EIGHTY} inline:{TEXT}", "not 'tag suite inline:key'"),
        (f"1 {EIGHTY}", "not 'tag suite inline:key'"),
        ("", "not 'tag suite inline:key'"),
    ],
)
def test_a_line_that_asks_for_more_is_passed_over_with_the_reason(value, words):
    with pytest.raises(Unusable, match=words):
        sdes.read(value)


def test_the_best_suite_is_taken_whatever_the_order():
    gcm = base64.b64encode(bytes(28)).decode()
    lines, reasons = sdes.readable(
        media(
            f"4 AEAD_AES_128_GCM inline:{gcm}",
            f"1 AES_CM_128_HMAC_SHA1_32 inline:{TEXT}",
            f"2 NOBODYS inline:{TEXT}",
            f"3 {EIGHTY} inline:{TEXT}",
        )
    )
    assert [line.tag for line in lines] == [4, 1, 3]
    assert sdes.best(lines).tag == 3
    assert sdes.best(lines[:2]).tag == 1
    assert sdes.best([]) is None
    assert reasons == ["the suite NOBODYS is not spoken here"]


def test_no_more_lines_are_looked_at_than_the_limit():
    line = f"1 {EIGHTY} inline:{TEXT}"
    assert len(sdes.readable(media(*[line] * sdes.MAX_CRYPTO))[0]) == sdes.MAX_CRYPTO
    assert sdes.readable(media(*["x"] * sdes.MAX_CRYPTO, line))[0] == []


def test_a_key_is_not_shown():
    assert "key" not in repr(Crypto(1, EIGHTY, KEY))
    assert "key" not in repr(sdes.Srtp(EIGHTY, KEY, KEY))


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(sdes.SUITES)), st.data())
def test_a_line_that_is_written_is_read_as_the_same(tag, suite, data):
    length = sdes.SUITES[suite]
    line = Crypto(tag, suite, data.draw(st.binary(min_size=length, max_size=length)))
    assert sdes.read(line.attribute().value) == line


@given(st.text(max_size=60))
def test_any_text_is_read_or_passed_over(text):
    for value in (text, f"1 {EIGHTY} inline:{text}", f"1 {EIGHTY} inline:{TEXT}{text}"):
        with contextlib.suppress(Unusable):
            sdes.read(value)
