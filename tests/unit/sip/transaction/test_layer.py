"""Messages matched with transactions (RFC 3261 9, 17.1.3, 17.2.3, 18; RFC 3581), and the bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.sip.errors import Refusal
from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction import layer as layer_module
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import State
from tests.unit.sip.torture.verdicts import FILES, VERDICTS
from tests.unit.sip.transaction.scene import TCP, UDP, request


class TestAcks:
    def test_the_ack_of_a_refusal_has_the_invites_via_route_and_cseq_and_the_responses_to(
        self, scene
    ):
        invite = scene.send(
            request(
                fields="Route: <sip:p1;lr>\nRoute: <sip:p2;lr>\n"
                "Via: SIP/2.0/UDP other\nSubject: x\n"
            )
        )
        response = respond(invite.request, 404, tag="99")
        response.headers.put("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1;received=10.0.0.1")
        scene.receive(response)
        ack = scene.last()
        assert isinstance(ack, Request)
        assert (ack.method, ack.uri, ack.body) == ("ACK", "sip:b@h", b"")
        assert list(ack.headers) == [
            ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:p1;lr>"),
            ("Route", "<sip:p2;lr>"),
            ("From", "<sip:a@h>;tag=1"),
            ("To", "<sip:b@h>;tag=99"),
            ("Call-ID", "call"),
            ("CSeq", "7 ACK"),
            ("Content-Length", "0"),
        ]

    def test_a_refusal_that_comes_again_is_acknowledged_again_and_told_once(self, scene):
        invite = scene.send(request())
        scene.get(invite, 404)
        scene.run_to(3)
        scene.get(invite, 404)
        assert scene.times("ACK") == [0, 3]
        assert scene.told == ["404"]

    def test_a_refusal_that_comes_again_is_acknowledged_alike_though_the_request_was_signed_anew(
        self, scene
    ):
        sent = request()
        refusal = respond(sent, 401, tag="99")
        scene.send(sent)
        scene.receive(refusal)
        sent.headers.put("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK2")
        sent.headers.put("CSeq", "8 INVITE")
        scene.send(sent)
        scene.receive(refusal)
        first, again = [bytes(message) for _, _, message in scene.sent if message.method == "ACK"]
        assert first == again

    def test_a_2xx_is_acknowledged_by_the_dialog(self, scene):
        scene.get(scene.send(request()), 200)
        assert scene.times("ACK") == []

    def test_the_refusal_of_another_request_is_not_acknowledged(self, scene):
        scene.get(scene.send(request("OPTIONS")), 404)
        assert scene.times("ACK") == []

    def test_the_ack_of_a_2xx_goes_to_the_core(self, scene):
        scene.receive(request())
        scene.answer(scene.requests[0], 200)
        scene.receive(request("ACK", "z9hG4bK-another"))
        assert scene.told == ["request INVITE", "ACK"]


class TestCancel:
    def test_a_pending_invite_is_told_and_the_cancel_answered_200(self, scene):
        scene.receive(request())
        scene.answer(scene.requests[0], 180)
        scene.receive(request("CANCEL"))
        assert scene.told == ["request INVITE", "cancel"]
        assert scene.last().cseq.method == "CANCEL"
        assert scene.times(200) == [0]
        scene.answer(scene.requests[0], 487)
        scene.receive(request("ACK"))
        scene.run_to(100)
        assert scene.empty

    def test_the_answer_has_the_tag_that_the_invite_was_answered_with(self, scene):
        scene.receive(request())
        scene.answer(scene.requests[0], 180, tag="mine")
        scene.receive(request("CANCEL"))
        assert scene.last().to.tag == "mine"

    def test_a_cancel_before_anything_was_said_has_some_tag(self, scene):
        scene.receive(request())
        scene.receive(request("CANCEL"))
        assert scene.last().to.tag

    @pytest.mark.parametrize("status", [200, 486])
    def test_an_invite_that_was_answered_is_not_told(self, scene, status):
        scene.receive(request())
        scene.answer(scene.requests[0], status)
        scene.receive(request("CANCEL"))
        assert scene.told == ["request INVITE"]
        assert scene.last().status == 200

    def test_an_invite_that_was_accepted_stays_accepted_whatever_is_said_then(self, scene):
        scene.receive(request())
        scene.answer(scene.requests[0], 200)
        scene.answer(scene.requests[0], 180)
        scene.receive(request("CANCEL"))
        scene.answer(scene.requests[0], 486)
        assert scene.told == ["request INVITE"]
        assert scene.times(180) == scene.times(486) == []

    def test_an_invite_that_is_not_there_is_said_so_and_nothing_held(self, scene):
        scene.receive(request("CANCEL"))
        assert scene.last().status == 481
        assert scene.empty

    def test_a_cancel_that_comes_again_is_answered_again_and_told_once(self, scene):
        scene.receive(request())
        scene.receive(request("CANCEL"))
        scene.receive(request("CANCEL"))
        assert scene.times(200) == [0, 0]
        assert scene.told == ["request INVITE", "cancel"]

    def test_a_cancel_does_not_cancel_another_senders_invite(self, scene):
        scene.receive(request())
        scene.receive(request("CANCEL", via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"))
        assert scene.last().status == 481
        assert scene.told == ["request INVITE"]

    def test_our_own_cancel_is_a_transaction_beside_the_invite(self, scene):
        invite = scene.send(request())
        scene.get(invite, 180)
        cancel = scene.send(request("CANCEL"))
        scene.get(cancel, 200)
        assert cancel.state is State.COMPLETED
        assert invite.state is State.PROCEEDING
        scene.get(invite, 487)
        scene.run_to(100)
        assert scene.told == ["180", "200", "487"]
        assert scene.empty


class TestMatching:
    @pytest.mark.parametrize(
        "fields",
        [
            {"branch": "z9hG4bK2"},
            {"via": "SIP/2.0/UDP 192.0.2.2:5061;branch=z9hG4bK1"},
            {"via": "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1"},
            {"method": "INFO"},
        ],
    )
    def test_another_branch_sender_or_method_is_another_request(self, scene, fields):
        scene.receive(request("OPTIONS"))
        scene.receive(request(**({"method": "OPTIONS"} | fields)))
        assert len(scene.requests) == 2

    def test_the_same_request_from_another_port_is_the_same(self, scene):
        scene.receive(request("OPTIONS"))
        scene.answer(scene.requests[0], 200)
        scene.receive(request("OPTIONS"), UDP.to_port(6000))
        assert len(scene.requests) == 1
        assert scene.times(200) == [0, 0]

    @pytest.mark.parametrize("branch", ["1", "", "z9hG4bK"])
    def test_requests_of_rfc_2543_are_told_apart_by_call_and_number(self, scene, branch):
        via = f"SIP/2.0/UDP 192.0.2.2{';branch=' if branch else ''}{branch}"
        scene.receive(request(via=via))
        scene.receive(request(via=via))
        assert len(scene.requests) == 1
        scene.receive(request(via=via, Call_ID="other"))
        scene.receive(request(via=via, CSeq="8 INVITE"))
        scene.receive(request(via=via, From="<sip:a@h>;tag=2"))
        assert len(scene.requests) == 4

    def test_the_ack_of_rfc_2543_finds_its_invite(self, scene):
        via = "SIP/2.0/UDP 192.0.2.2"
        scene.receive(request(via=via))
        scene.answer(scene.requests[0], 486)
        scene.receive(request("ACK", via=via, To="<sip:b@h>;tag=99"))
        assert scene.requests[0].state is State.CONFIRMED

    def test_a_response_without_a_transaction_is_dropped_and_counted(self, scene):
        scene.receive(respond(request("OPTIONS"), 200))
        scene.receive(respond(request(), 404))
        scene.receive(respond(request(), 180))
        assert scene.told == scene.sent == []
        assert scene.layer.counts["response to nothing"] == 3

    def test_a_2xx_of_an_invite_without_a_transaction_goes_to_the_core(self, scene):
        scene.receive(respond(request(), 200))
        assert scene.told == ["stray 200"]

    def test_a_response_of_another_method_is_not_the_transactions(self, scene):
        scene.send(request("OPTIONS"))
        scene.receive(respond(request("INFO"), 200))
        assert scene.told == []

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"SIP/2.0 200", b"SIP/7.0 200"),
            (b"Via:", b"Via: SIP/2.0/UDP x\r\nVia:"),
            (b"Content-Length: 0", b"Content-Length: 10"),
            (b"Content-Length: 0", b"Content-Length: ten"),
            (b"CSeq: 7", b"CSeq: seven"),
        ],
    )
    def test_a_malformed_response_is_dropped_and_counted(self, scene, old, new):
        options = scene.send(request("OPTIONS"))
        scene.receive(bytes(respond(options.request, 200)).replace(old, new))
        assert scene.told == []
        assert scene.layer.counts["malformed response"] == 1

    def test_a_transaction_of_the_same_key_is_not_forgotten_with_the_first(self, scene):
        first = scene.send(request("OPTIONS"))
        second = scene.send(request("OPTIONS"))
        first.lose_flow(0)
        assert list(scene.layer.clients.values()) == [second]


class TestRepliesGoWhereTheyMust:
    def reply(self, scene, via, flow=UDP):
        scene.receive(request("OPTIONS", via=via), flow)
        scene.answer(scene.requests[0], 200)
        _, sent_by, message = scene.sent[-1]
        return sent_by, message.headers.get("Via")

    def test_with_rport_to_the_port_that_the_request_came_from(self, scene):
        flow, via = self.reply(
            scene, "SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1", UDP.to_port(6000)
        )
        assert flow == UDP.to_port(6000)
        assert via == ("SIP/2.0/UDP 10.0.0.1:5070;rport=6000;branch=z9hG4bK1;received=192.0.2.2")

    def test_with_rport_received_is_noted_though_it_is_the_same(self, scene):
        via = self.reply(scene, "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1;rport")[1]
        assert via == "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1;rport=5060;received=192.0.2.2"

    @pytest.mark.parametrize(
        ("sent_by", "port"), [("pc.example.com:5070", 5070), ("10.0.0.1", 5060)]
    )
    def test_without_rport_to_the_port_of_the_via(self, scene, sent_by, port):
        flow, via = self.reply(scene, f"SIP/2.0/UDP {sent_by};branch=z9hG4bK1", UDP.to_port(6000))
        assert flow == UDP.to_port(port)
        assert via.endswith(";received=192.0.2.2")

    def test_without_rport_nothing_is_added_if_the_address_is_right(self, scene):
        via = self.reply(scene, "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1")[1]
        assert via == "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK1"

    def test_over_tcp_by_the_connection(self, scene):
        flow, _ = self.reply(scene, "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bK1", TCP)
        assert flow == TCP

    def test_of_ipv6_too(self, scene):
        flow = Flow("UDP", ("2001:db8::1", 6000), ("2001:db8::2", 5060))
        there, via = self.reply(scene, "SIP/2.0/UDP [2001:DB8:0::1]:5070;branch=z9hG4bK1", flow)
        assert there == flow.to_port(5070)
        assert "received" not in via

    def test_other_vias_are_given_back_as_they_came(self, scene):
        scene.receive(
            request(
                "OPTIONS",
                fields='v: SIP/2.0/TCP A ;x="1,2" , SIP / 2.0 / UDP b\n',
                branch="z9hG4bK1",
            )
        )
        scene.answer(scene.requests[0], 200)
        assert scene.last().headers.values("Via") == [
            "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1",
            'SIP/2.0/TCP A ;x="1,2"',
            "SIP / 2.0 / UDP b",
        ]


class TestRefusals:
    def test_what_is_not_sip_is_dropped_and_counted(self, scene):
        for data in (b"", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000):
            scene.receive(data)
        scene.receive(b"OPTIONS sip:a@h SIP/2.0\r\nCall-ID: 1\r\n\r\n")
        assert scene.sent == []
        assert scene.layer.counts == {"not SIP": 4, "request without Via": 1}

    def test_a_malformed_request_is_told_why_and_not_held(self, scene):
        scene.receive(request("OPTIONS", CSeq="x OPTIONS"))
        response = scene.last()
        assert isinstance(response, Response)
        assert (response.status, response.to.tag != "") == (400, True)
        assert "CSeq" in response.reason
        assert scene.empty
        assert scene.layer.counts["refused 400"] == 1

    def test_the_same_malformed_request_gets_the_same_answer(self, scene):
        scene.receive(request("OPTIONS", CSeq="x OPTIONS"))
        scene.receive(request("OPTIONS", CSeq="x OPTIONS"))
        scene.receive(request("OPTIONS", "z9hG4bK2", CSeq="x OPTIONS"))
        first, again, other = [message for _, _, message in scene.sent]
        assert bytes(first) == bytes(again)
        assert first.to.tag != other.to.tag

    def test_a_malformed_ack_is_never_answered(self, scene):
        scene.receive(request("ACK", CSeq="x ACK"))
        assert scene.sent == scene.told == []

    @pytest.mark.parametrize(("section", "name", "expected"), VERDICTS)
    def test_the_messages_of_rfc_4475_get_their_answers(self, scene, section, name, expected):
        data = (FILES / f"{name}.dat").read_bytes()
        scene.receive(data)
        statuses = [str(message.status) for _, _, message in scene.sent]
        if expected == "read" and not isinstance(parse(data), Response):
            assert len(scene.requests) == 1
            assert statuses == []
        else:
            assert scene.requests == []
            assert statuses == ([expected] if expected.isdigit() else [])
            assert scene.empty

    def test_header_fields_of_a_refusal_are_sent(self, scene, monkeypatch):
        monkeypatch.setattr(layer_module, "MAX_SERVERS", 0)
        scene.receive(request())
        assert scene.last().headers.get("Retry-After") == "10"
        assert Refusal(420, "x", Proxy_Require="y").headers == {"Proxy-Require": "y"}


class TestBounds:
    def test_at_the_bound_what_is_held_goes_on(self, scene, monkeypatch):
        monkeypatch.setattr(layer_module, "MAX_SERVERS", 1)
        scene.receive(request())
        scene.receive(request("CANCEL"))
        scene.answer(scene.requests[0], 487)
        scene.receive(request("ACK"))
        scene.run_to(40)
        assert scene.told == ["request INVITE", "cancel"]
        assert scene.empty

    def test_cancels_of_nothing_are_not_held(self, scene):
        for nth in range(100):
            scene.receive(request("CANCEL", f"z9hG4bK-{nth}"))
        assert scene.empty

    def test_after_a_thousand_calls_nothing_is_held(self, scene):
        for nth in range(1000):
            scene.now = nth / 10
            scene.timers.fire(scene.now)
            scene.receive(request(branch=f"z9hG4bK-{nth}"))
            scene.answer(scene.requests[-1], 200 if nth % 2 else 486)
            scene.get(scene.send(request(branch=f"z9hG4bK-out-{nth}")), 200 if nth % 2 else 486)
        scene.run_to(1000)
        assert scene.empty
        assert scene.timers.next_at() is None


class TestLostFlows:
    def test_requests_by_a_connection_that_broke_fail_at_once(self, scene):
        waiting = [scene.send(request(method), TCP) for method in ("INVITE", "OPTIONS")]
        scene.send(request("INFO"), UDP)
        scene.layer.lose_flow(TCP, 1.0)
        assert scene.told == ["the connection broke at 1"] * 2
        assert [transaction.state for transaction in waiting] == [State.TERMINATED] * 2
        assert len(scene.layer.clients) == 1

    def test_what_was_answered_does_not_fail(self, scene):
        scene.get(scene.send(request(), TCP), 200)
        scene.get(scene.send(request("OPTIONS"), TCP), 200)
        scene.layer.lose_flow(TCP, 0)
        assert scene.told == ["200", "200"]
        scene.run_to(40)
        assert scene.empty

    def test_another_connection_of_the_same_addresses_is_another_flow(self, scene):
        scene.send(request(), TCP)
        scene.layer.lose_flow(replace(TCP, connection=2), 0)
        assert scene.told == []


def test_beyond_the_bound_requests_are_answered_503_and_not_held(scene, monkeypatch):
    monkeypatch.setattr(layer_module, "MAX_SERVERS", 10)
    for nth in range(15):
        scene.receive(request("OPTIONS", f"z9hG4bK-{nth}"))
    assert len(scene.layer.servers) == 10
    assert scene.times(503) == [0] * 5
    assert scene.layer.counts["refused 503"] == 5
