"""Tests that connections of calls are kept while messages of the call come, and forgotten once
closed.
"""

import re
import shutil
import socket
import struct

import pytest

from tests.sip.edge.talk import is_closed, register, stays_open
from tests.sip.edge_messages import reply, request, sdp, within_called
from tests.sip.edge_talkers import StreamCarrier

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


class Call:
    """A call by TCP from a stranger's address to a registered contact."""

    def __init__(self, edge, child, registrar, connection):
        self.connection, self._edge, self._child = connection, edge, child
        self.caller = StreamCarrier(connection.getsockname()[0])
        self.caller.adopt(connection)
        self.caller.at = "{}:{}".format(*connection.getsockname())
        seen, _ = register(edge, child, registrar)
        self._contact = re.search("<(.*?)>", seen["Contact"])[1]
        self._say("INVITE", body=sdp(self.caller.ip))
        self.invite = child.expect("INVITE")

    def _say(self, method, **more):
        call_id = f"long-call-{self.caller.at}"
        text = request(method, self._contact, self.caller, call_id=call_id, **more)
        self.caller.send(text.replace("SIP/2.0/UDP", "SIP/2.0/TCP"))

    def ask(self, cseq):
        """A request of the caller, which the edge answers."""
        self._say("OPTIONS", cseq=cseq, to=f"<{self._contact}>;tag=callee")
        self.caller.expect(200)

    def is_asked(self, cseq):
        """A request of the child, which the caller answers."""
        question = within_called("OPTIONS", self.invite, self._child, cseq=cseq)
        self._child.send(question, self._edge.inside)
        self.caller.send(reply(self.caller.expect("OPTIONS"), 200))
        self._child.expect(200)


@pytest.fixture
def calls(connected, child, talkers):
    """`call = calls(edge, from_)`."""
    made = []

    def make(edge, from_):
        (connection,) = connected(edge, from_, 1)
        made.append(Call(edge, child, talkers("127.0.0.88"), connection))
        return made[-1]

    yield make
    for call in made:
        call.caller.close()


@pytest.mark.deep
@pytest.mark.parametrize("say", [Call.ask, Call.is_asked], ids=["requests", "answers"])
def test_the_connection_of_a_long_call_is_kept_while_its_messages_come(edges, calls, say):
    call = calls(edges(stranger_connection_s=1, call_s=5), "127.0.0.89")
    for cseq in (2, 3, 4):
        assert stays_open(call.connection, 2.5)
        say(call, cseq)


@pytest.mark.deep
@pytest.mark.parametrize("end", ["closed", "reset"])
def test_the_port_of_a_closed_connection_is_untrusted_again(edges, connected, calls, end):
    edge = edges(stranger_connection_s=1)
    call = calls(edge, "127.0.0.91")
    _, port = call.connection.getsockname()
    if end == "reset":
        call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    call.connection.close()
    # To the edge's other port: the system keeps a closed pair of ports from being used again.
    (stranger,) = connected(edge, "127.0.0.91", 1, edge.tls_port, from_port=port)
    assert is_closed(stranger, 5)
