"""Whatever comes is read or refused with the documented error, and what is read can be written."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.checks import check_request, check_response
from gateway.sip.syntax.framing import Framer, KeepAlive
from gateway.sip.syntax.headers import Address, CSeq, Valued, Via, parse_seconds
from gateway.sip.syntax.message import Request, parse, respond
from gateway.sip.syntax.uri import SipUri, parse_uri
from tests.support.thorough import often
from tests.unit.sip.mutations import Mutator

SEEDS = st.integers(0, 2**63).map(random.Random)
MUTATED = SEEDS.map(lambda chance: Mutator(chance).message())
ANY = st.binary(max_size=300)
SOME = settings(max_examples=often(300, 5_000))

_WORDS = """sip: sips: tel: urn:x SIP/2.0/UDP 1 INVITE +3361 alice @ h.example [2001:db8::1] :5060
:secret ; ;lr ;tag=1 = " \\ < > , ? %40 %6c ;x= é ;branch=z9hG4bK1 ;rport ;phone-context=+33 120
(soon) application/sdp ( '"""
_PIECES = st.sampled_from([*_WORDS.split(), " ", "\t", "\0", "\udcff", '"a b"', "SIP / 2.0 / TCP "])
TEXT = st.lists(_PIECES | st.text(max_size=3), max_size=12).map("".join)
PARSERS = [parse_uri, Address.parse, Via.parse, CSeq.parse, Valued.parse]


@SOME
@given(data=ANY | MUTATED)
def test_a_message_is_read_or_refused_and_nothing_else(data):
    try:
        message = parse(data)
    except SipSyntaxError:
        return
    try:
        if isinstance(message, Request):
            check_request(message)
            bytes(respond(message, 200, tag="1"))
        else:
            check_response(message)
    except Refusal as refusal:
        bytes(respond(message, refusal.status, refusal.reason, tag="1"))
    except SipSyntaxError:
        pass


@SOME
@given(data=MUTATED)
def test_a_message_that_is_read_is_written_so_that_it_is_read_alike(data):
    try:
        first = parse(data)
    except SipSyntaxError:
        return
    again = parse(bytes(first))
    assert type(again) is type(first)
    assert again.body == first.body
    for message in (first, again):
        message.headers.remove("Content-Length")
    assert list(again.headers) == list(first.headers)
    assert bytes(again) == bytes(first)


@SOME
@given(data=st.lists(MUTATED, max_size=3).map(b"".join), cuts=st.lists(st.integers(1, 200)))
def test_a_stream_is_cut_alike_however_it_comes(data, cuts):
    def read(chunks):
        framer, found = Framer(), []
        try:
            for chunk in chunks:
                found += framer.feed(chunk)
            framer.feed(b"")
        except SipSyntaxError:
            found.append("broken")
        return [piece if isinstance(piece, str | KeepAlive) else bytes(piece) for piece in found]

    chunks, at = [], 0
    for cut in cuts:
        chunks.append(data[at : at + cut])
        at += cut
    chunks.append(data[at:])
    assert read(chunks) == read([data])


@SOME
@given(text=TEXT)
@pytest.mark.parametrize("parser", PARSERS)
def test_a_value_that_is_read_is_written_so_that_it_is_read_alike(parser, text):
    try:
        value = parser(text)
    except SipSyntaxError:
        return
    assert parser(str(value)) == value


@SOME
@given(text=TEXT)
def test_seconds_are_read_or_refused(text):
    with contextlib.suppress(SipSyntaxError):
        assert parse_seconds(text) >= 0


@SOME
@given(text=TEXT)
def test_a_uri_has_a_user_that_can_be_read(text):
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return
    if isinstance(uri, SipUri):
        assert isinstance(uri.decoded_user, str)
        assert isinstance(uri.user_params, dict)
        assert parse_uri(str(uri.bare())) == uri.bare()


@SOME
@given(
    name=st.text(st.characters(exclude_characters="\r\n\0"), max_size=20),
    tag=st.text(st.characters(exclude_characters="\r\n\0"), max_size=9),
)
def test_any_name_and_tag_come_back(name, tag):
    address = Address(SipUri("h", "a"), name).tagged(tag)
    assert Address.parse(str(address)) == address
