"""Attribution: finds the trunk by which a call came in. No I/O.

A user name proves nothing: two carriers may have given out the same one, and anybody may send
another's number as his own. These are checked, in this order:

1. The INVITE was sent to the random contact that only the trunk's registrar was told; the edge, if
   there is one, remembers which trunk that is.
2. It came from the address at which a trunk is registered. An address that the trunk's owner gives
   as the host's is not enough: a registrar there must have accepted the trunk's password. If
   several trunks are registered there, none: a 404 is better than somebody else's agent. Those of
   other processes count, too: the edge says how many there are.
3. It came from a network of one trunk alone. Anybody may name any network, so this says less than a
   registration. If several trunks have named it, or are registered there, or if the operator lists
   the address in EDGE_PEERS, the application finds the trunk by the called number.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.calls.leg import Standing
from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.uri import parse_sip_uri
from gateway.trunks.networks import Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The sender and the target of an INVITE, as the edge tells them, or the packet itself."""

    source: str
    """`address:port` of the sender."""
    request_uri: str
    trunk: str = ""
    """The trunk whose contact the edge found in the request URI."""
    listed: bool = False
    """True if the sender is in EDGE_PEERS."""
    lines: int = 0
    """Registrations at the sender's address, of all processes; 0 if the edge does not say."""


def told_by_edge(headers: Headers, *, with_lines: bool) -> Origin:
    """Return what the edge's headers tell.

    `with_lines`: other processes register trunks, too.
    """
    lines = headers.get("X-Chamade-Lines") if with_lines else ""
    return Origin(
        source=headers.get("X-Chamade-Source"),
        request_uri=headers.get("X-Chamade-Request-URI"),
        trunk=headers.get("X-Chamade-Trunk"),
        listed="X-Chamade-Peer" in headers,
        lines=int(lines[:6]) if lines.isascii() and lines.isdigit() else 0,
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts known about an INVITE. `source` is an address without its port."""

    contact_of: str | None
    """The trunk whose contact the INVITE was sent to."""
    source: str | None
    edge_says: str | None = None
    """The trunk whose contact the edge found in the request URI."""
    lines: int = 0
    """Registrations at the source, of all processes."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The trunk of a call. Without one, `source` is the address that trunks' networks hold, and
    `network` the longest of these networks."""

    trunk_id: str | None = None
    source: str | None = None
    network: str | None = None


def attribute(
    evidence: Evidence, registered: Mapping[str, str], networks: Networks, *, edge_lists: bool
) -> Attribution:
    """Return the trunk of a call, or the address by which the application may find it.

    `edge_lists`: the edge says that the source is in EDGE_PEERS.
    """
    if (trunk_id := trunk_of(evidence, registered)) is not None:
        return Attribution(trunk_id)
    address = _without_port(evidence.source or "")
    holders = networks.holding(address)
    if holders is None:
        return Attribution()
    is_registrar = evidence.source in registered.values() or _others_are_there(evidence, registered)
    if holders.trunk_id is None or edge_lists or is_registrar:
        return Attribution(source=address, network=str(holders.network))
    return Attribution(holders.trunk_id)


def trunk_of(evidence: Evidence, registered: Mapping[str, str]) -> str | None:
    """Return the id of the trunk whose contact or registrar it is, given the address of each
    registered one; None if there is none."""
    if evidence.edge_says is not None:
        return evidence.edge_says
    if evidence.contact_of is not None:
        return evidence.contact_of
    at_host = [trunk_id for trunk_id, at in registered.items() if at == evidence.source]
    if len(at_host) != 1 or _others_are_there(evidence, registered):
        return None
    return at_host[0]


def _others_are_there(evidence: Evidence, registered: Mapping[str, str]) -> bool:
    """Return whether the edge knows more registrations at the source than this process has.

    The edge counts addresses without ports.
    """
    source = _without_port(evidence.source or "")
    return evidence.lines > sum(_without_port(at) == source for at in registered.values())


def standing_of(
    found: Attribution, *, edge_lists: bool, behind_edge: bool, sip_host: str
) -> Standing:
    """Return the level of trust of a call. `edge_lists`: the edge says its source is in EDGE_PEERS.

    Without an edge, only a listener on loopback accepts calls without a trunk: softphones on this
    machine.
    """
    if found.trunk_id is not None:
        return "trunk"
    if behind_edge and edge_lists:
        return "peer"
    if found.source is not None:
        return "carrier"
    if behind_edge:
        return "stranger"
    return "local" if _is_loopback(sip_host) else "stranger"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origin(source: str) -> str | None:
    """Return the address in `1.2.3.4:5060` or `[::1]:5060`; on loopback with its port.

    On loopback everybody has the same address, so the port is needed to tell them apart.
    """
    host, _, port = source.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return f"{address}:{port}" if address.is_loopback else str(address)


def _without_port(source: str) -> str:
    return source.partition(":")[0] if source.count(":") == 1 else source


def user_of(uri: str) -> str:
    """Return the user part of a request URI, "" if it has none."""
    try:
        return parse_sip_uri(uri.strip().strip("<>")).user
    except SipSyntaxError:
        return ""
