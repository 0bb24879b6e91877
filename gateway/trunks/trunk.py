"""A trunk, as the application sends it: the registrar, the account and the password.

It is immutable and checked when it is read. It goes into a SIP account line and into headers, so
characters that could break out of those are refused here, even if the application accepts them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeGuard

Transport = Literal["udp", "tcp", "tls"]
Status = Literal["registering", "registered", "failed"]

TRUNK_ID = re.compile(r"trunk_[a-z2-7]{26}", re.ASCII)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_E164 = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_UNSAFE = frozenset("@:;<>?\"'`\\,")
_UNSAFE_IN_REALM = _UNSAFE - {":"}  # an account's domain may carry a port
_LONGEST = 128


class BadTrunkError(ValueError):
    """The application's answer is no usable trunk; the message is a clause with the reason.

    `revision` is the answer's, None if not even that is clear. The message never repeats a value.
    """

    def __init__(self, why: str, revision: int | None) -> None:
        super().__init__(why)
        self.revision = revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """An account at a carrier that the gateway registers with.

    `host` is a name or IP literal, IPv6 without brackets; `realm` is the part after the @ of the
    account where that is not the host.
    """

    trunk_id: str
    revision: int
    host: str
    port: int
    transport: Transport
    username: str
    password: str = field(repr=False)
    realm: str | None = None
    caller_id: str | None = None

    @property
    def authority(self) -> str:
        """Return `host:port`, as in a URI: IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def from_json(cls, given: Any) -> Trunk:
        """Return the trunk of the contract's object; ignore unknown fields.

        Raises BadTrunkError.
        """
        if not isinstance(given, dict):
            raise BadTrunkError("it is no object", None)
        revision = given.get("revision")
        if type(revision) is not int or revision < 0:
            raise BadTrunkError("its revision is no whole number", None)

        def refuse(what: str) -> NoReturn:
            raise BadTrunkError(what, revision)

        trunk_id, port, transport = (given.get(key) for key in ("trunk_id", "port", "transport"))
        if not (isinstance(trunk_id, str) and TRUNK_ID.fullmatch(trunk_id)):
            refuse("its trunk_id is none")
        if type(port) is not int or not 1 <= port <= 65535:
            refuse("its port is not one from 1 to 65535")
        if transport not in ("udp", "tcp", "tls"):
            refuse("its transport is none of udp, tcp, tls")
        if not _is_host(host := given.get("host")):
            refuse("its host is neither a DNS name nor an IP address")
        username, password = given.get("username"), given.get("password")
        if not (isinstance(username, str) and _USERNAME.fullmatch(username)) or (
            _UNSAFE & set(username)
        ):
            refuse("its username has characters that a SIP account cannot carry, or is too long")
        if not _is_text(password) or set('"\\') & set(password):
            refuse("its password has characters that a SIP account cannot carry, or is too long")
        realm, caller_id = given.get("realm"), given.get("caller_id")
        if realm is not None and not (
            _is_text(realm) and not _UNSAFE_IN_REALM & set(realm) and " " not in realm
        ):
            refuse("its realm has characters that a SIP account cannot carry, or is too long")
        if caller_id is not None and not (
            isinstance(caller_id, str) and _E164.fullmatch(caller_id)
        ):
            refuse("its caller_id is no E.164 number")
        return cls(
            trunk_id=trunk_id,
            revision=revision,
            host=host,
            port=port,
            transport=transport,
            username=username,
            password=password,
            realm=realm,
            caller_id=caller_id,
        )


def _is_text(value: Any) -> TypeGuard[str]:
    # isprintable: no control characters, no line or paragraph separators, no space but " ".
    return isinstance(value, str) and 1 <= len(value) <= _LONGEST and value.isprintable()


def _is_host(value: Any) -> TypeGuard[str]:
    if not isinstance(value, str):
        return False
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        # A name whose last label is all digits could be an address: old resolvers read `127.1` as
        # one.
        last = value.rpartition(".")[2]
        return bool(_NAME.fullmatch(value)) and ".." not in value and not last.isdigit()
    return getattr(address, "scope_id", None) is None
