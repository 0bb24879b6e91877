"""Through which trunk did a call come in? Pure.

A user name proves nothing: two carriers may have given out the same one, and anybody may call
himself by another's number. What counts, in this order:

1. The INVITE was sent to the random contact that only the trunk's registrar was told; the edge, if
   there is one, remembers which trunk that is.
2. It came from an address of the trunk's host. If several trunks are at that host, the one whose
   user agent the stack chose, else none: better 404 than somebody else's agent.
3. Without an edge the stack does not say to which contact the INVITE went; then the agent that it
   chose is believed if it is one that registers. (Carriers do send from other addresses than their
   name resolves to.) With an edge, 1 has seen the request URI, and nothing is left to believe.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
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


def trunk_of(evidence: Evidence, hosts: Mapping[str, Set[str]]) -> str | None:
    """The trunk's id; None if the call belongs to none. `hosts`: the addresses of each trunk's."""
    if evidence.edge_says in hosts:
        return evidence.edge_says
    at_contact = evidence.request_user is not None and evidence.request_user == evidence.contact
    if evidence.registered and at_contact:
        return evidence.chosen
    at_host = [trunk_id for trunk_id, addresses in hosts.items() if evidence.source in addresses]
    if evidence.chosen in at_host:
        return evidence.chosen
    if len(at_host) == 1 and evidence.chosen is None:
        return at_host[0]
    if evidence.request_user is None and evidence.registered:
        return evidence.chosen
    return None
