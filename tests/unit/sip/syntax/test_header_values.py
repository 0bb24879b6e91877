"""Via, CSeq, lists and parameters (RFC 3261 7.3.1, 20, 25.1)."""

from __future__ import annotations

import pytest

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.grammar import Scanner, read_params, split_list
from gateway.sip.syntax.headers import CSeq, Valued, Via, parse_seconds


def test_a_via_may_have_blanks_around_everything():
    via = Via.parse(
        "SIP  / 2.0  / tcp     spindle.Example.com : 5070  ;  branch  =   z9hG4bK9ikj8 "
    )
    assert (via.transport, via.host, via.port) == ("TCP", "spindle.example.com", 5070)
    assert via.branch == "z9hG4bK9ikj8"


def test_a_via_may_be_of_ipv6():
    text = "SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bKx;received=2001:db8::9:255"
    via = Via.parse(text)
    assert via.host == "2001:db8::9:1"
    assert via.params.text("received") == "2001:db8::9:255"
    assert str(via) == text


def test_a_via_tells_its_version():
    assert Via.parse("SIP/7.0/UDP c.example.com").version == "7.0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "HTTP/1.1/UDP h",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:0x1",
        "SIP/2.0/UDP h g",
        "SIP/2.0/UDP h;branch=a b",
        "SIP/2.0/UDP <h>",
    ],
)
def test_what_is_no_via_is_refused(text):
    with pytest.raises(SipSyntaxError):
        Via.parse(text)


def test_a_cseq_may_have_leading_zeros_and_blanks():
    assert CSeq.parse("  0009 \t INVITE ") == CSeq(9, "INVITE")
    assert str(CSeq(9, "INVITE")) == "9 INVITE"


def test_the_largest_cseq_is_below_two_to_the_31():
    assert CSeq.parse("2147483647 BYE").number == 2**31 - 1
    with pytest.raises(SipSyntaxError, match="2147483648"):
        CSeq.parse("2147483648 BYE")


@pytest.mark.parametrize(
    "text", ["", "INVITE", "1", "-1 BYE", "1 B(YE", "1 BYE x", "36893488147419103232 A", "٣ BYE"]
)
def test_what_is_no_cseq_is_refused(text):
    with pytest.raises(SipSyntaxError):
        CSeq.parse(text)


def test_commas_in_quotes_and_brackets_separate_nothing():
    text = r'"a, \", b" <sip:a@h;x=1,2>;q="1,2" ,, <sip:b,c@h>,sip:d@h'
    assert list(split_list(text)) == [
        r'"a, \", b" <sip:a@h;x=1,2>;q="1,2"',
        "<sip:b,c@h>",
        "sip:d@h",
    ]


def test_a_quote_that_is_never_closed_takes_the_rest():
    assert list(split_list('a, "b, c')) == ["a", '"b, c']


def test_a_list_goes_over_several_lines():
    headers = Headers([("Supported", "timer, 100rel"), ("X", "y"), ("supported", " Path ,,")])
    assert headers.values("Supported") == ["timer", "100rel", "Path"]
    assert headers.tokens("SUPPORTED") == {"timer", "100rel", "path"}


def test_parameters_are_quoted_bare_or_empty():
    params = read_params(Scanner(r' ;A="x \"y\"" ; b = c ;; lr;d=;b=2'))
    assert params == {"a": 'x "y"', "b": "c", "lr": None, "d": ""}
    assert str(params) == r';a="x \"y\"";b=c;lr;d=""'
    assert read_params(Scanner(str(params))) == params


def test_a_value_with_parameters_is_read():
    value = Valued.parse(" 1800 ; refresher=uac")
    assert (value.value, value.params) == ("1800", {"refresher": "uac"})
    assert str(value) == "1800;refresher=uac"
    with pytest.raises(SipSyntaxError):
        Valued.parse(" ;x=y")


def test_seconds_are_read_in_front_of_a_comment():
    assert parse_seconds(" 120 (I'm in a meeting);duration=3600") == 120
    for text in ("", "-1", "soon", "949302838503028349304023988"):
        with pytest.raises(SipSyntaxError):
            parse_seconds(text)


def test_a_field_is_put_in_the_place_of_the_first():
    headers = Headers([("Via", "1"), ("To", "2"), ("via", "3")])
    headers.put("VIA", 4)
    assert list(headers) == [("VIA", "4"), ("To", "2")]
    headers.put("New", 5)
    headers.add_first("Via", 6)
    assert [value for _, value in headers] == ["6", "4", "2", "5"]
    assert "via" in headers
    assert len(headers) == 4


@pytest.mark.parametrize(("name", "value"), [("a b", "c"), ("", "c"), ("a", "b\r\nc"), ("a:", "")])
def test_a_field_that_would_break_the_message_is_refused_and_changes_nothing(name, value):
    headers = Headers([("a", "old")])
    with pytest.raises(ValueError, match="not a header field"):
        headers.add(name, value)
    with pytest.raises(ValueError, match="not a header field"):
        headers.put(name, value)
    assert list(headers) == [("a", "old")]


def test_a_copy_may_be_changed():
    headers = Headers([("a", "1")])
    headers.copy().add("b", "2")
    assert len(headers) == 1
