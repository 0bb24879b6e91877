"""Tests of a trunk over TCP and TLS through the edge."""

import re
import shutil

import pytest

from tests.sip.edge.talk import outside_names_nothing_inside
from tests.sip.edge_messages import reply, request, routes, sdp, within, within_called
from tests.sip.edge_talkers import PUBLIC, StreamCarrier, server_context

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


@pytest.mark.parametrize("via", ["tcp", "tls"])
def test_a_trunk_registers_and_carries_calls_over_tcp_and_tls(edge, children, child, tmp_path, via):
    """Registers by a connection, takes a call through it, and gives one."""
    context = server_context(tmp_path) if via == "tls" else None
    carrier = StreamCarrier("127.0.0.54" if via == "tcp" else "127.0.0.55", context)
    child.forget()
    port = edge.port if via == "tcp" else edge.tls_port
    try:
        route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={carrier.at};via={via};lr>"
        own = {"Contact": f"<sip:alice@{child.at}>;expires=600"}
        child.send(
            request("REGISTER", "sip:x.example", child, headers=own, routes=[route]), edge.inside
        )
        carrier.accept()
        seen = carrier.expect("REGISTER")
        assert seen["Via"].startswith(f"SIP/2.0/{via.upper()} {PUBLIC}:{port};")
        assert seen["Contact"].startswith(f"<sip:alice@{PUBLIC}:{port};transport={via};line=")
        carrier.send(reply(seen, 200, extra=[f"Contact: {seen['Contact']}"]))
        assert child.expect(200)["Contact"] == f"<sip:alice@{child.at}>;expires=600"

        # In, by the same connection. Its Contact does not say by what.
        contact = re.search("<(.*?)>", seen["Contact"])[1]
        coming = request("INVITE", contact, carrier, body=sdp(carrier.ip))
        carrier.send(coming.replace("SIP/2.0/UDP", f"SIP/2.0/{via.upper()}"))
        got = child.expect("INVITE")
        ok = reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1"))
        child.send(ok, got.source)
        answered = carrier.expect(200)
        assert answered["Contact"] == f"<sip:x@{PUBLIC}:{port};transport={via}>"
        assert routes(answered)[0].startswith(f"<sip:{PUBLIC}:{port};transport={via};e=")
        ack = within("ACK", answered, carrier, cseq=1)
        carrier.send(ack.replace("SIP/2.0/UDP", f"SIP/2.0/{via.upper()}"))
        child.expect("ACK")
        child.send(within_called("BYE", got, child, cseq=1), edge.inside)
        bye = carrier.expect("BYE")
        assert bye["Via"].startswith(f"SIP/2.0/{via.upper()} {PUBLIC}:{port};")
        carrier.send(reply(bye, 200))
        child.expect(200)

        # Out.
        text = request("INVITE", "sip:1@x.example", child, routes=[route], body=sdp("127.0.0.1"))
        child.send(text, edge.inside)
        seen = carrier.expect("INVITE")
        assert seen["Contact"] == f"<sip:alice@{PUBLIC}:{port};transport={via}>"
        carrier.send(reply(seen, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(carrier.ip)))
        got = child.expect(200)
        child.send(within("ACK", got, child, cseq=1), edge.inside)
        carrier.expect("ACK")
        child.send(within("BYE", got, child, cseq=2), edge.inside)
        carrier.send(reply(carrier.expect("BYE"), 200))
        child.expect(200)
        outside_names_nothing_inside(carrier)
    finally:
        carrier.close()
