"""Peers that the gateway talks SIP to in tests: programs of other people's, on this machine.

`Sipp` says exactly what a scenario says and shows what was on the wire; `Softphone` is a phone
with ears; `Carrier` is a registrar and proxy; `Rtp` sends and records sound where sipp cannot;
`Wire` loses packets.
"""

from tests.sip.peers.baresip import Call, Softphone
from tests.sip.peers.kamailio import Carrier
from tests.sip.peers.messages import Message
from tests.sip.peers.rtp import Rtp
from tests.sip.peers.sipp import Sipp
from tests.sip.peers.wire import Silent, Wire
from tests.support.ports import HOST, free_port, free_ports

__all__ = [
    "HOST",
    "Call",
    "Carrier",
    "Message",
    "Rtp",
    "Silent",
    "Sipp",
    "Softphone",
    "Wire",
    "free_port",
    "free_ports",
]
