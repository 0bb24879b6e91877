"""The URIs and the routes of a trunk's requests. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from gateway.calls.leg import Route
from gateway.sip.network.locate import Target
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, UriParams, escape_user, format_host
from gateway.trunks.trunk import Trunk

_IDENTITY = {
    "auto": "P-Asserted-Identity",
    "pai": "P-Asserted-Identity",
    "ppi": "P-Preferred-Identity",
    "rpid": "Remote-Party-ID",
}
"""The field that has the caller ID beside From, by `caller_id_in` (RFC 3325)."""
_ANONYMOUS_PING = "ping"


def domain_uri(trunk: Trunk) -> str:
    """Return the URI of the registrar, and of whoever answers OPTIONS."""
    return str(SipUri(trunk.domain))


def account_uri(trunk: Trunk) -> str:
    """Return our own URI at the carrier."""
    return str(SipUri(trunk.domain, escape_user(trunk.username or _ANONYMOUS_PING)))


def routes(trunk: Trunk, target: Target, edge: str | None) -> tuple[str, ...]:
    """Return the Route of requests that begin something. `edge` is host:port of the SIP edge.

    The edge takes its next hop from it (gateway/edge). Without one, an outbound proxy is a loose
    route (RFC 3261 8.1.2).
    """
    if edge is not None:
        # With TLS the hop is a name, because the certificate is checked against it.
        host = target.host if trunk.transport == "tls" else target.address
        hop = f"{format_host(host or target.address)}:{target.port}"
        return (
            f"<sip:{edge};transport=udp;lr;hop={hop};via={trunk.transport};trunk={trunk.trunk_id}>",
        )
    if (proxy := trunk.outbound_proxy) is None:
        return ()
    params = UriParams({"lr": None})
    if trunk.transport != "udp":
        params = UriParams({"transport": trunk.transport, "lr": None})
    return (f"<{SipUri(proxy.host, port=proxy.port, params=params)}>",)


def dials_by_account(trunk: Trunk) -> bool:
    """Return whether From is to hold the account, and the caller ID another field."""
    return trunk.username is not None and trunk.caller_id_in in ("pai", "ppi", "rpid")


class Dialled(NamedTuple):
    """The parties of a call that we make, and the field that has the caller ID beside From."""

    to: SipUri
    from_: SipUri
    identity: tuple[tuple[str, str], ...]


def dialled(trunk: Trunk, route: Route, *, by_account: bool, name: str = "") -> Dialled:
    """Return the parties of a call by a trunk. `by_account`: From holds the account; `name`: the
    caller's, which stands with the number.
    """
    number = _number_uri(trunk, route.from_)
    from_ = number
    if by_account and trunk.username is not None:
        from_ = SipUri(trunk.domain, escape_user(trunk.username))
    identity: tuple[tuple[str, str], ...] = ()
    if (field := _IDENTITY.get(trunk.caller_id_in)) is not None:
        # `screen=yes` says that the number was checked (draft-ietf-sip-privacy-04).
        rpid = ";party=calling;screen=yes;privacy=off" if field == "Remote-Party-ID" else ""
        identity = ((field, f"{Address(number, name)}{rpid}"),)
    return Dialled(_number_uri(trunk, route.to), from_, identity)


def _number_uri(trunk: Trunk, number: str) -> SipUri:
    params = UriParams({"user": "phone"}) if trunk.user_phone else UriParams()
    return SipUri(trunk.domain, escape_user(number), params=params)
