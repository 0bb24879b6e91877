"""Types of a trunk's fields, with the rules that concern one field alone.

`trunk_settings.py` puts them together, and holds the rules between fields.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from chalicelib.domain.country import CountryOfAnyCase
from chalicelib.domain.failure import Failure
from chalicelib.domain.foreign_text import printable
from chalicelib.domain.host import parse_host

MAIN = "main"
"""The name of the trunk at `/api/trunk`; every trunk had it before trunks had names."""

MAX_NETWORKS = 32
MAX_FALLBACKS = 3
MAX_PREFIX = 8
"""Characters of a `dial_prefix`."""

NETWORK_PREFIXES = {4: (20, 32), 6: (48, 128)}
"""Shortest and longest prefix of a network, by IP version: a carrier's, not half the Internet."""

Provider = Literal["gateway", "twilio"]
Transport = Literal["udp", "tcp", "tls"]
Auth = Literal["register", "ip", "both"]
Srtp = Literal["off", "offered", "required"]
NumberFormat = Literal["e164", "plain", "00", "national"]
CallerIdIn = Literal["auto", "from", "pai", "ppi", "rpid"]
KeepAlive = Literal["none", "crlf", "options"]

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
NAME_PATTERN = f"^{_NAME.pattern}$"
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_REALM = re.compile(r"[!-~]{1,128}", re.ASCII)
_PREFIX = re.compile(rf"[0-9*#]{{0,{MAX_PREFIX}}}", re.ASCII)
_PROXY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_UNSAFE = "@;<>?\"'`\\,"
"""Characters that would end a field of the SIP stack's account line or of a header
(gateway/trunks/trunk.py)."""


class BadName(Failure, ValueError):
    """Not a trunk's name; the message describes the form."""

    code = "invalid"
    field = "name"


def parse_name(text: str) -> str:
    """Return a trunk's name as it is. Raises BadName if it is none."""
    if not _NAME.fullmatch(text):
        raise BadName(
            f"{printable(text)!r} is no name of a trunk: 1 to 32 small letters, digits and "
            "hyphens, no hyphen at its ends, as in ovh-paris"
        )
    return text


def _username(text: str) -> str:
    if not _USERNAME.fullmatch(text) or set(_UNSAFE + ":") & set(text):
        raise ValueError(
            f"a username has 1 to 64 ASCII characters, none of them a space or one of : {_UNSAFE} "
            "(SIP accounts cannot carry those): the part before the @, without sip:"
        )
    return text


def _password(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not 1 <= len(text) <= 128 or not text.isprintable() or set('"\\') & set(text):
        raise ValueError(
            'a password has 1 to 128 printable characters, none of them " or \\ (SIP accounts '
            "cannot carry those): set another one at your carrier"
        )
    return secret


def _realm(text: str) -> str:
    if not _REALM.fullmatch(text) or set(_UNSAFE) & set(text):
        raise ValueError(
            "a realm is what stands behind the @ of your account, such as sip.carrier.example: "
            f"ASCII, no space and none of {_UNSAFE}"
        )
    return text


def _countries(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(given)))


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
        if "%" in text:
            raise ValueError("a scope is of one machine")
    except ValueError as error:
        raise ValueError(
            f"{printable(text)!r} is no network ({printable(str(error))}): write it as in "
            "198.51.100.0/24, or the one address that calls come from"
        ) from None
    shortest, longest = NETWORK_PREFIXES[network.version]
    if not shortest <= network.prefixlen <= longest:
        raise ValueError(
            f"{network} is too large: a network of IPv{network.version} is /{shortest} to "
            f"/{longest}. Give only the addresses that your carrier sends calls from"
        )
    return str(network)


def _once(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(given))


def split_proxy(text: str) -> tuple[str, int | None]:
    """Return host and port of an outbound proxy. Raises ValueError, which says what is wrong."""
    found = _PROXY.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or port == 0 or (port or 0) > 65535:
        raise ValueError(
            f"{printable(text)!r} is no proxy: give its host, or host and port, as in "
            "proxy.carrier.example:5060 or [2001:db8::5]:5060"
        )
    return parse_host(found["host"]), port


def _proxy(text: str) -> str:
    host, port = split_proxy(text)
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError(
            f"a dial_prefix has up to {MAX_PREFIX} digits, * or #: what you dial for an outside "
            "line, as in 0"
        )
    return text


def _as_tuple(given: Any) -> Any:
    # Behind a validator of the whole model a JSON array is a list, which strict validation
    # refuses as a tuple.
    return tuple(given) if isinstance(given, list) else given


_FromList = BeforeValidator(_as_tuple)

TrunkName = Annotated[
    str, AfterValidator(parse_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]
Username = Annotated[str, AfterValidator(_username)]
Password = Annotated[SecretStr, AfterValidator(_password)]
Realm = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_realm)]
Countries = Annotated[
    tuple[CountryOfAnyCase, ...], Field(max_length=300), AfterValidator(_countries), _FromList
]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...],
    Field(max_length=MAX_NETWORKS),
    AfterValidator(_once),
    _FromList,
]
OutboundProxy = Annotated[str, Field(max_length=300), AfterValidator(_proxy)]
DialPrefix = Annotated[
    str,
    AfterValidator(_prefix),
    WithJsonSchema({"type": "string", "pattern": f"^{_PREFIX.pattern}$"}),
]
Fallbacks = Annotated[
    tuple[TrunkName, ...], Field(max_length=MAX_FALLBACKS), AfterValidator(_once), _FromList
]


def with_usual_srtp(given: Any) -> Any:
    """Return the fields with the `srtp` that a transport has if none is given: also of trunks that
    were stored before they had any.
    """
    if not isinstance(given, Mapping) or given.get("srtp") is not None or "srtp" in given:
        return given
    return {**given, "srtp": "offered" if given.get("transport") == "tls" else "off"}
