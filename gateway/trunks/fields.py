"""Checks of a trunk's fields, as the application sends them. No I/O.

They go into SIP headers, so characters that could break out of those are refused here, even if the
application accepts them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple, NoReturn, TypeGuard

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TRUNK_ID = re.compile(r"trunk_[a-z2-7]{26}", re.ASCII)
MAX_NETWORKS = 32
"""Networks of one trunk."""

_WIDEST = {4: 20, 6: 48}
"""The shortest prefix that a network may have, by version."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_E164 = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_AUTHORITY = re.compile(r"(\[[^\[\]]{1,60}\]|[^:\[\]]{1,253})(?::([0-9]{1,5}))?", re.ASCII)
_UNSAFE = frozenset("@:;<>?\"'`\\,")
_UNSAFE_IN_REALM = _UNSAFE - {":"}  # an account's domain may carry a port
_LONGEST = 128
_UNFIT = "has characters that a SIP account cannot carry, or is too long"
_PORTS = frozenset({None, *range(1, 65536)})


class BadTrunkError(ValueError):
    """The application's answer is no usable trunk; the message is a clause with the reason.

    `revision` is the answer's, None if not even that is clear. The message never repeats a value.
    """

    def __init__(self, why: str, revision: int | None) -> None:
        super().__init__(why)
        self.revision = revision


class Authority(NamedTuple):
    """A host and perhaps a port. `host` is a name or IP literal, IPv6 without brackets."""

    host: str
    port: int | None = None


class Fields:
    """The fields of one answer. Each method returns a field that is valid, or raises BadTrunkError.

    Optional fields that are absent or null are None, or have the default that is given.
    """

    def __init__(self, given: Any) -> None:
        if not isinstance(given, dict):
            raise BadTrunkError("it is no object", None)
        revision = given.get("revision")
        if type(revision) is not int or revision < 0:
            raise BadTrunkError("its revision is no whole number", None)
        self._given = given
        self.revision = revision

    def refuse(self, why: str) -> NoReturn:
        """Raise BadTrunkError."""
        raise BadTrunkError(why, self.revision)

    def trunk_id(self) -> str:
        """Return the trunk's id."""
        found = self._given.get("trunk_id")
        if not (isinstance(found, str) and TRUNK_ID.fullmatch(found)):
            self.refuse("its trunk_id is none")
        return found

    def host(self) -> str:
        """Return the carrier's host."""
        found = self._given.get("host")
        if not _is_host(found):
            self.refuse("its host is neither a DNS name nor an IP address")
        return found

    def port(self) -> int | None:
        """Return the port; None: it is looked up."""
        found = self._given.get("port")
        if found is not None and (type(found) is not int or not 1 <= found <= 65535):
            self.refuse("its port is not one from 1 to 65535")
        return found

    def choice(self, name: str, *allowed: str, default: str | None = None) -> Any:
        """Return one of a few words."""
        found = self._given.get(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or found not in allowed:
            self.refuse(f"its {name} is none of {', '.join(allowed)}")
        return found

    def flag(self, name: str) -> bool:
        """Return true or false; false by default."""
        found = self._given.get(name)
        if found is not None and not isinstance(found, bool):
            self.refuse(f"its {name} is neither true nor false")
        return bool(found)

    def username(self) -> str | None:
        """Return the account's name."""
        found = self._given.get("username")
        if found is None:
            return None
        if not (isinstance(found, str) and _USERNAME.fullmatch(found)) or _UNSAFE & set(found):
            self.refuse(f"its username {_UNFIT}")
        return found

    def password(self) -> str | None:
        """Return the password."""
        found = self._given.get("password")
        if found is not None and (not _is_text(found) or set('"\\') & set(found)):
            self.refuse(f"its password {_UNFIT}")
        return found

    def realm(self) -> str | None:
        """Return the part after the @ of the account."""
        found = self._given.get("realm")
        if found is not None and not (
            _is_text(found) and not _UNSAFE_IN_REALM & set(found) and " " not in found
        ):
            self.refuse(f"its realm {_UNFIT}")
        return found

    def caller_id(self) -> str | None:
        """Return the number to call as."""
        found = self._given.get("caller_id")
        if found is not None and not (isinstance(found, str) and _E164.fullmatch(found)):
            self.refuse("its caller_id is no E.164 number")
        return found

    def networks(self) -> tuple[Network, ...]:
        """Return the networks from which the carrier's calls come."""
        found = self._given.get("networks")
        if found is None:
            return ()
        if not isinstance(found, list) or len(found) > MAX_NETWORKS:
            self.refuse(f"its networks are no list of at most {MAX_NETWORKS}")
        return tuple(dict.fromkeys(self._network(each) for each in found))

    def _network(self, text: Any) -> Network:
        try:
            network = ipaddress.ip_network(text if isinstance(text, str) else "", strict=False)
        except ValueError:
            self.refuse("its networks are not all like 192.0.2.0/24")
        if getattr(network.network_address, "scope_id", None) is not None:
            self.refuse("its networks have one with a zone")
        if network.prefixlen < _WIDEST[network.version]:
            self.refuse("its networks have one that is too wide: IPv4 from /20, IPv6 from /48")
        return network

    def outbound_proxy(self) -> Authority | None:
        """Return the host, and perhaps the port, that requests are sent to."""
        text = self._given.get("outbound_proxy")
        if text is None:
            return None
        found = _AUTHORITY.fullmatch(text) if isinstance(text, str) else None
        host = found[1].strip("[]") if found else ""
        port = int(found[2]) if found and found[2] else None
        in_brackets = isinstance(text, str) and text.startswith("[")
        if not _is_host(host) or in_brackets != (":" in host) or port not in _PORTS:
            self.refuse("its outbound_proxy is no host or host:port")
        return Authority(host, port)


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
