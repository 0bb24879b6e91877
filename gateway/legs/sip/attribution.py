"""Through which trunk did a call come in? Pure.

A user name proves nothing: two carriers may have given out the same one, and anybody may call
himself by another's number. What counts, in this order:

1. The INVITE was sent to the random contact that only the trunk's registrar was told; the edge, if
   there is one, remembers which trunk that is.
2. It came from the address at which a trunk is registered: not one that its owner says is the
   host's, one whose registrar took the trunk's password. If several are registered there, the one
   whose registering agent the stack chose, else none: better 404 than somebody else's agent.
3. Without an edge the stack does not say to which contact the INVITE went; then the agent that it
   chose is believed if it is one that registers. (Carriers do send from other addresses than their
   name resolves to.) With an edge, 1 has seen the request URI, and nothing is left to believe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an INVITE. `source` is an address without its port."""

    chosen: str | None
    """The trunk of the user agent that the stack chose."""
    registered: bool
    """Whether that agent is the one that registers."""
    contact: str | None
    """The contact user of that agent."""
    request_user: str | None
    """The user part of the request URI, if the edge told it."""
    source: str | None
    edge_says: str | None = None
    """The trunk whose contact the edge found in the request URI."""


def trunk_of(evidence: Evidence, registered: Mapping[str, str]) -> str | None:
    """The trunk's id; None if the call belongs to none. `registered`: where each trunk is."""
    if evidence.edge_says is not None:
        return evidence.edge_says
    chosen = evidence.chosen if evidence.registered else None
    if chosen is not None and evidence.request_user == evidence.contact:
        return chosen
    at_host = [trunk_id for trunk_id, at in registered.items() if at == evidence.source]
    if chosen in at_host:
        return chosen
    if at_host:
        return at_host[0] if len(at_host) == 1 else None
    return chosen if evidence.request_user is None else None


def origin(source: str) -> str | None:
    """`1.2.3.4:5060` or `[::1]:5060` -> the address. On loopback everybody has the same one, so
    there the port counts, too."""
    host, _, port = source.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return f"{address}:{port}" if address.is_loopback else str(address)


def user_of(uri: str | None) -> str | None:
    """The user part of a request URI that the edge told."""
    found = re.match(r"\s*<?\s*sips?:([^@;>\s]+)@", uri or "", re.IGNORECASE)
    return found[1] if found else None
