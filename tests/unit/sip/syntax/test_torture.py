"""The messages of RFC 4475: their verdicts, and what is hard to read in them."""

from __future__ import annotations

import pytest

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.checks import check_request, check_response
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.framing import Framer
from gateway.sip.syntax.headers import Address, Via
from gateway.sip.syntax.message import Request, Response, parse
from gateway.sip.syntax.uri import SipUri, parse_sip_uri
from tests.unit.sip.torture.verdicts import FILES, VERDICTS


def message(name: str) -> Request | Response:
    return parse((FILES / f"{name}.dat").read_bytes())


def verdict(name: str) -> str:
    try:
        found = message(name)
        if isinstance(found, Request):
            check_request(found)
        else:
            check_response(found)
    except Refusal as refusal:
        return str(refusal.status)
    except SipSyntaxError:
        return "discarded"
    return "read"


@pytest.mark.parametrize(("section", "name", "expected"), VERDICTS)
def test_each_message_gets_the_verdict_of_its_section(section, name, expected):
    assert verdict(name) == expected


def test_all_messages_are_in_the_table():
    assert {name for _, name, _ in VERDICTS} == {file.stem for file in FILES.glob("*.dat")}
    assert len(VERDICTS) == 49


@pytest.mark.parametrize("name", [name for _, name, expected in VERDICTS if expected == "read"])
def test_what_is_read_is_written_so_that_it_is_read_alike(name):
    first = message(name)
    again = parse(bytes(first))
    first.headers.remove("Content-Length")
    again.headers.remove("Content-Length")
    assert list(again.headers) == list(first.headers)
    assert again.body == first.body


@pytest.mark.parametrize(
    "name", ["wsinv", "intmeth", "longreq", "mpart01", "unreason", "esc02", "badinv01"]
)
def test_a_stream_gives_the_same_message_byte_by_byte(name):
    data = (FILES / f"{name}.dat").read_bytes()
    framer = Framer()
    found = [piece for at in range(len(data)) for piece in framer.feed(data[at : at + 1])]
    assert [bytes(piece) for piece in found] == [bytes(message(name))]


@pytest.mark.parametrize("name", ["ncl", "mcl01", "inv2543"])
def test_a_stream_with_no_or_a_wrong_length_is_given_up(name):
    with pytest.raises(SipSyntaxError, match="Content-Length"):
        Framer().feed((FILES / f"{name}.dat").read_bytes())


def uri(address: Address) -> SipUri:
    assert isinstance(address.uri, SipUri)
    return address.uri


def values(headers: Headers, name: str) -> list[Address]:
    return [Address.parse(text) for text in headers.values(name)]


class TestReading:
    """What is hard to read is read right."""

    def test_wsinv(self):
        invite = message("wsinv")
        assert invite.from_.name == 'J Rosenberg \\"'
        assert (invite.from_.tag, invite.to.tag) == ("98asjd8", "1918181833n")
        assert invite.cseq.number == 9
        assert int(invite.headers.get("Max-Forwards")) == 68
        assert invite.headers.get("Subject") == ""
        assert invite.headers.get("NewFangledHeader") == (
            "newfangled value continued newfangled value"
        )
        vias = [Via.parse(text) for text in invite.headers.values("Via")]
        assert [(via.transport, via.host, via.branch) for via in vias] == [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239"),
        ]
        (route,) = values(invite.headers, "Route")
        assert uri(route).params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
        (contact,) = values(invite.headers, "Contact")
        assert contact.name == 'Quoted string ""'
        assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
        assert len(invite.body) == 150

    def test_intmeth(self):
        request = message("intmeth")
        assert isinstance(request, Request)
        assert request.method == "!interesting-Method0123456789_*+`.%indeed'~"
        target = parse_sip_uri(request.uri)
        assert target.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
        assert target.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        assert request.to.name == "BEL:\x07 NUL:\x00 DEL:\x7f"
        assert request.from_.name == "token1~` token2'+_ token3*%!.-"
        assert request.from_.params["fromparam''~+*_!.-%"] == "работающий"
        assert request.from_.tag == "_token~1'+`*%!-."

    def test_esc01(self):
        invite = message("esc01")
        assert isinstance(invite, Request)
        assert parse_sip_uri(invite.uri).decoded_user == "sips:user@example.com"
        assert uri(invite.to).decoded_user == "user"
        assert uri(invite.from_).decoded_user == "I have spaces"
        (contact,) = values(invite.headers, "Contact")
        assert uri(contact).params == {"lr": None, "name": "value%2541"}

    def test_escnull(self):
        users = [
            uri(contact).decoded_user for contact in values(message("escnull").headers, "Contact")
        ]
        assert users == ["\0", "\0\0"]

    def test_esc02(self):
        request = message("esc02")
        assert isinstance(request, Request)
        assert request.method == "RE%47IST%45R"
        assert request.to.name == "%Z%45"
        hosts = [uri(contact).host for contact in values(request.headers, "Contact")]
        assert hosts == ["host1.example.com", "host3.example.com"]

    def test_longreq(self):
        invite = message("longreq")
        assert len(invite.headers.values("Via")) == 34
        assert len(uri(invite.to).params) == 3
        assert uri(invite.from_).user.startswith("amazinglylongcallername")
        assert invite.from_.tag.startswith("12982")

    def test_dblreq(self):
        request = message("dblreq")
        assert isinstance(request, Request)
        assert (request.method, request.body) == ("REGISTER", b"")

    def test_semiuri(self):
        request = message("semiuri")
        assert isinstance(request, Request)
        target = parse_sip_uri(request.uri)
        assert (target.user, target.host) == ("user;par=u%40example.net", "example.com")
        assert len(request.headers.values("Accept")) == 6

    def test_transports(self):
        texts = message("transports").headers.values("Via")
        assert [Via.parse(text).transport for text in texts] == [
            *("UDP", "SCTP", "TLS", "UNKNOWN", "TCP"),
        ]

    def test_responses(self):
        unreason, noreason = message("unreason"), message("noreason")
        assert isinstance(unreason, Response)
        assert isinstance(noreason, Response)
        assert unreason.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
        assert (noreason.status, noreason.reason) == (100, "")

    def test_names_of_liberal_senders(self):
        assert message("lwsdisp").from_.name == "caller"
        assert message("baddn").from_.name == "Bell, Alexander"
        assert uri(message("badaspec").to).user == "t.watson"

    def test_contacts(self):
        assert values(message("cparam01").headers, "Contact")[0].params == {"unknownparam": None}
        (inside,) = values(message("cparam02").headers, "Contact")
        assert (inside.params, uri(inside).params) == ({}, {"unknownparam": None})
        (escaped,) = values(message("regescrt").headers, "Contact")
        assert uri(escaped).headers == "Route=%3Csip:sip.example.com%3E"
        with pytest.raises(SipSyntaxError, match="<>"):
            values(message("regbadct").headers, "Contact")

    def test_what_the_core_needs_to_refuse_an_extension(self):
        assert message("bext01").headers.values("Require") == [
            "nothingSupportsThis",
            "nothingSupportsThisEither",
        ]

    def test_unknown_schemes(self):
        request = message("unksm2")
        assert str(request.to.uri) == "isbn:2983792873"
        assert str(request.from_.uri) == "http://www.example.com"

    def test_inv2543(self):
        invite = message("inv2543")
        assert (invite.from_.tag, invite.via.branch) == ("", "")
        assert invite.body.startswith(b"v=0")
