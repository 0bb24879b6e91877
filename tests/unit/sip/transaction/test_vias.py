"""Tests of the Vias of responses, by which they find their way back through proxies."""

from __future__ import annotations

from gateway.sip.agent import UserAgent
from gateway.sip.syntax.message import parse
from gateway.sip.transaction.flow import Flow

OPTIONS = (
    "OPTIONS sip:us@192.0.2.1 SIP/2.0\r\n"
    "{vias}"
    "From: <sip:them@192.0.2.2>;tag=1\r\nTo: <sip:us@192.0.2.1>\r\n"
    "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def vias_of_answer(vias: str) -> list[str]:
    agent = UserAgent()
    flow = Flow("UDP", ("192.0.2.2", 5070), ("192.0.2.1", 5060))
    agent.receive(OPTIONS.format(vias=vias).encode(), flow, 0.0)
    [(_, data)] = agent.take_output()
    return parse(data).headers.all("Via")


def test_each_via_of_a_response_has_a_line_of_its_own_in_the_order_of_the_request():
    vias = (
        "Via: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKa\r\n"
        "v: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKb, SIP/2.0/TCP 192.0.2.4;branch=z9hG4bKc\r\n"
    )
    found = vias_of_answer(vias)
    assert [each.partition("branch=")[2] for each in found] == ["z9hG4bKa", "z9hG4bKb", "z9hG4bKc"]


def test_the_top_via_alone_tells_whence_the_request_came():
    vias = (
        "Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa\r\n"
        "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb\r\n"
    )
    top, below = vias_of_answer(vias)
    assert "received=192.0.2.2" in top
    assert "rport=5070" in top
    assert below == "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb"
