"""A trunk, as the application sends it: where the carrier is, as whom we come, and what it wants.

It is immutable and checked when it is read (`fields.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.trunks.fields import TRUNK_ID, Authority, BadTrunkError, Fields, Network

__all__ = ["TRUNK_ID", "Authority", "BadTrunkError", "Network", "Status", "Trunk"]

Transport = Literal["udp", "tcp", "tls"]
Status = Literal["registering", "registered", "ready", "failed"]
Auth = Literal["register", "ip", "both"]
Srtp = Literal["off", "offered", "required"]
CallerIdIn = Literal["auto", "from", "pai", "ppi", "rpid"]
KeepAlive = Literal["none", "crlf", "options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """An account at a carrier, or an agreement with one about addresses.

    `host` is a name or IP literal, IPv6 without brackets; `port` None: DNS says it (RFC 3263).
    `realm` is the part after the @ of the account where that is not the host. Calls come from
    `networks` as well with `auth` "ip" and "both"; "ip" registers nowhere. The other fields are
    explained in docs/sip.md.
    """

    trunk_id: str
    revision: int
    host: str
    port: int | None
    transport: Transport
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    realm: str | None = None
    caller_id: str | None = None
    auth: Auth = "register"
    networks: tuple[Network, ...] = ()
    srtp: Srtp = "off"
    outbound_proxy: Authority | None = None
    user_phone: bool = False
    caller_id_in: CallerIdIn = "auto"
    keep_alive: KeepAlive = "none"

    @property
    def registers(self) -> bool:
        """Return whether the carrier wants a REGISTER."""
        return self.auth != "ip"

    @property
    def domain(self) -> str:
        """Return the part after the @: the realm, or else the host."""
        return self.realm or self.host

    @property
    def hop(self) -> Authority:
        """Return where requests are sent: the outbound proxy, or else the host."""
        return self.outbound_proxy or Authority(self.host, self.port)

    @classmethod
    def from_json(cls, given: Any) -> Trunk:
        """Return the trunk of the contract's object; ignore unknown fields.

        Raises BadTrunkError.
        """
        read = Fields(given)
        transport: Transport = read.choice("transport", "udp", "tcp", "tls")
        usual_srtp = "offered" if transport == "tls" else "off"
        trunk = cls(
            trunk_id=read.trunk_id(),
            revision=read.revision,
            host=read.host(),
            port=read.port(),
            transport=transport,
            username=read.username(),
            password=read.password(),
            realm=read.realm(),
            caller_id=read.caller_id(),
            auth=read.choice("auth", "register", "ip", "both", default="register"),
            networks=read.networks(),
            srtp=read.choice("srtp", "off", "offered", "required", default=usual_srtp),
            outbound_proxy=read.outbound_proxy(),
            user_phone=read.flag("user_phone"),
            caller_id_in=read.choice(
                "caller_id_in", "auto", "from", "pai", "ppi", "rpid", default="auto"
            ),
            keep_alive=read.choice("keep_alive", "none", "crlf", "options", default="none"),
        )
        if (why := _contradiction(trunk)) is not None:
            read.refuse(why)
        return trunk


def _contradiction(trunk: Trunk) -> str | None:
    """Return which fields do not go together, as a clause; None if all do."""
    if trunk.registers and trunk.username is None:
        return "it registers, but its username is missing"
    if trunk.registers and trunk.password is None:
        return "it registers, but its password is missing"
    if (trunk.username is None) != (trunk.password is None):
        return "it has a username or a password, but not both"
    if (trunk.auth == "register") == bool(trunk.networks):
        return (
            "its networks are missing: calls shall come from addresses"
            if trunk.auth != "register"
            else "it has networks, but its calls come by its registration"
        )
    return None
