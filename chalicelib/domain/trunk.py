"""Trunks of one's own, and their numbers (DIDs).

An account connects one SIP trunk. With provider `gateway` our gateway registers with it and calls
come in through that registration; with `twilio` nothing registers, the trunk sends its calls to a
SIP domain. The password is not part of a `Trunk`, so no view, event or log of one can show it.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.phone import E164, BadNumber, parse_e164
from wire.addresses import forbidden

MAX_DIDS = 100
"""Numbers of one trunk."""

MIN_NATIONAL_DIGITS = 6
"""Fewer digits at the end of a number name nobody."""

MAX_SHOWN = 64
"""Characters of a carrier's own text that an event repeats."""

MAX_DETAIL = 500
"""Characters of what the gateway says of a registration."""

TRUNK_ID = re.compile(r"trunk_[a-z2-7]{26}", re.ASCII)
"""What an id looks like; anything else is nobody's trunk."""

SIP_PORT, SIPS_PORT = 5060, 5061

Provider = Literal["gateway", "twilio"]
Transport = Literal["udp", "tcp", "tls"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".localdomain")
_SEPARATORS = re.compile(r"[\s().-]")
_DIGITS = re.compile(r"\+?\d+", re.ASCII)
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_REALM = re.compile(r"[!-~]{1,128}", re.ASCII)
_UNSAFE = "@;<>?\"'`\\,"
"""What would end a field of the SIP stack's account line, or of a header (gateway/trunk.py)."""
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrunkStatus(StrEnum):
    """How a trunk is doing."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    UNREGISTERED = "unregistered"
    """Nothing registers: the provider is one to which the trunk sends its calls by itself."""


def parse_host(text: str) -> str:
    """A DNS name or IP literal, lower-cased, IPv6 without brackets. ValueError says what is wrong.

    A name that ends in a number is refused: some resolvers take `127.1` for an address.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    address = _address(bare)
    if address is not None:
        return str(address)
    name = bare.lower().removesuffix(".")
    labels = name.split(".")
    whole = all(_LABEL.fullmatch(label) for label in labels) and len(name) <= 253
    if bare is not text or not whole or _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise ValueError(
            f"{shown(text)!r} is neither a DNS name nor an IP address: give the host alone, as in "
            "sip.example.com, without sip:, user, port or spaces (names beyond ASCII as xn--…)"
        )
    return name


def public_host(host: str) -> bool:
    """False for what can only be a host of our own network: the gateway must not be made to
    register there. Where a public *name* leads is for the gateway to check when it resolves it.
    """
    if _address(host) is not None:
        return not forbidden(host)
    return "." in host and not f".{host}".endswith(_PRIVATE_SUFFIXES)


def _address(text: str) -> _IpAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    return None if scoped else address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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


def _agent_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    plain = text.isascii() and text.isprintable() and " " not in text and "#" not in text
    if not good or not plain:
        raise ValueError("an agent URL begins with ws:// or wss://, names a host, has no #fragment")
    return text


def _countries(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(given)))


Host = Annotated[str, AfterValidator(parse_host)]
Username = Annotated[str, AfterValidator(_username)]
Realm = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_realm)]
Country = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{2}$")]
# Behind `_default_port` a JSON array is a list, which strictly is no tuple.
Countries = Annotated[
    tuple[Country, ...],
    Field(max_length=300),
    AfterValidator(_countries),
    BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
]
AgentUrl = Annotated[str, Field(max_length=2048), AfterValidator(_agent_url)]
Label = Annotated[str, Field(max_length=100)]


class Trunk(BaseModel):
    """A trunk as it is, without its password.

    `revision` counts what its owner has set, so that a report about older settings is known to be
    one. `status_at` is since when the status is what it is; `detail` says what to do about it.
    `allowed_countries`: ISO 3166 alpha-2, what may be dialled out to.
    """

    model_config = ConfigDict(frozen=True)

    trunk_id: str
    account_id: str
    provider: Provider = "gateway"
    host: Host
    port: int = Field(default=SIP_PORT, ge=1, le=65535)
    transport: Transport = "udp"
    username: Username
    realm: Realm | None = None
    caller_id: E164 | None = None
    allowed_countries: Countries = ()
    revision: int = 1
    status: TrunkStatus
    sip_code: int | None = None
    detail: str = ""
    status_at: Instant
    created_at: Instant
    updated_at: Instant


class TrunkSettings(BaseModel):
    """A trunk's settings: always the whole, the password included. So who has got hold of an API
    key alone cannot widen `allowed_countries`, or send the stored password to another host: without
    the password, what they set does not work.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Host = Field(
        description="DNS name or IP address alone, on the public Internet",
        examples=["sip.carrier.example"],
    )
    port: int = Field(
        default=SIP_PORT, ge=1, le=65535, description=f"for `tls` {SIPS_PORT} if not given"
    )
    transport: Transport = Field(default="udp", description="`tls` needs the host's name")
    username: Username = Field(
        description="the part before the @ of your account", examples=["acct42"]
    )
    password: Annotated[SecretStr, AfterValidator(_password)] = Field(
        repr=False, description="never shown again"
    )
    realm: Realm | None = Field(
        default=None, description="what stands behind the @, if that is not the host"
    )
    caller_id: E164 | None = Field(
        default=None, description="the number to call as", examples=["+33199005678"]
    )
    provider: Provider = Field(
        default="gateway",
        description="`gateway` registers with your trunk; with `twilio` your trunk sends its calls "
        "to `inbound_uri`",
    )
    allowed_countries: Countries = Field(
        default=(),
        description="where it may dial besides the country of `caller_id`: ISO 3166",
        examples=[["FR", "DE"]],
    )

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("transport") == "tls" and "port" not in given:
            return {**given, "port": SIPS_PORT}
        return given

    @model_validator(mode="after")
    def _tls_names_its_host(self) -> TrunkSettings:
        """The SIP stack checks a certificate against names only: an address it would take from
        whoever holds any certificate at all."""
        if self.transport == "tls" and _is_address(self.host):
            raise ValueError(
                "transport tls needs the host's name, not its address: certificates name hosts"
            )
        return self

    @model_validator(mode="after")
    def _gateway_leaves_twilio_alone(self) -> TrunkSettings:
        """The operator's SIP domain is there: the gateway would call into our own application."""
        if self.provider == "gateway" and f".{self.host}".endswith(".twilio.com"):
            raise ValueError(
                "provider gateway does not connect to hosts of twilio.com: give your carrier's "
                "host, or say provider twilio if your trunk sends its calls there"
            )
        return self


class Did(BaseModel):
    """A number of a trunk, and what happens when somebody calls it.

    `called_at` is when the first call to it came in through the trunk. Until then only an API key
    says that the number is the trunk's, and nobody calls as it.
    """

    model_config = ConfigDict(frozen=True)

    e164: E164
    trunk_id: str
    account_id: str
    label: Label = ""
    agent_url: AgentUrl | None = None
    auto_answer: bool = False
    added_at: Instant
    called_at: Instant | None = None


class DidChanges(BaseModel):
    """What an owner may change. Fields that are not given stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Label = Field(default="", description="what you call it")
    agent_url: AgentUrl | None = Field(
        default=None, description="a WebSocket of yours, `ws://` or `wss://`; null for none"
    )
    auto_answer: bool = Field(default=False, description="calls are answered at once")


class NewDid(DidChanges):
    """What an owner says of a number when adding it."""

    e164: E164 = Field(description="the number", examples=["+33199005678"])


def new_trunk_id() -> str:
    """`trunk_` and 26 characters of base32: 130 random bits."""
    return "trunk_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def connected(
    before: Trunk | None, account_id: str, settings: TrunkSettings, sip_domain: str | None, now: int
) -> Trunk:
    """The trunk as `settings` make it: a new one, or the next revision of the one before.

    `sip_domain` is where trunks of provider twilio send their calls; the gateway needs none.
    """
    registers = settings.provider == "gateway"
    return Trunk(
        trunk_id=before.trunk_id if before else new_trunk_id(),
        account_id=account_id,
        **settings.model_dump(exclude={"password"}),
        revision=before.revision + 1 if before else 1,
        status=TrunkStatus.REGISTERING if registers else TrunkStatus.UNREGISTERED,
        detail=(
            f"Registering with {settings.host}. Look again in a few seconds."
            if registers
            else f"Nothing registers. Point the trunk at {inbound_uri(sip_domain or '')}, with "
            "each number in E.164 form."
        ),
        status_at=now,
        created_at=before.created_at if before else now,
        updated_at=now,
    )


def inbound_uri(sip_domain: str) -> str:
    """Where a trunk of provider twilio sends its calls; `{number}` is the number called."""
    return f"sip:{{number}}@{sip_domain}"


def reported(
    trunk: Trunk, status: TrunkStatus, sip_code: int | None, detail: str, now: int
) -> Trunk:
    """The trunk after a report of the gateway (about its present revision).

    A failed trunk that is tried again stays failed until it is registered: the reason remains to be
    seen, and an attempt a minute does not become an event a minute.
    """
    if trunk.status is TrunkStatus.FAILED and status is TrunkStatus.REGISTERING:
        return trunk
    changes: dict[str, Any] = {
        "status": status,
        "sip_code": sip_code,
        "detail": detail[:MAX_DETAIL],
    }
    if status is not trunk.status:
        changes["status_at"] = now
    return trunk.model_copy(update=changes)


def match_did(called: str, dids: Sequence[Did], username: str | None = None) -> Did | None:
    """The number that a carrier means by `called` (its To), among the trunk's; None if it is not
    clear which.

    Carriers write a number as E.164, without its plus, after 00 or 011, or as in its country; as it
    is or as the user of a SIP URI. Some name only the account that registered (`username`): then
    the trunk's number is meant if it has just one.
    """
    user = _user_part(called)
    for e164 in _international(user):
        for did in dids:
            if did.e164 == e164:
                return did
    digits = _SEPARATORS.sub("", user)
    number = bool(_DIGITS.fullmatch(digits))
    found = _national(digits, dids) if number else None
    if found is None and len(dids) == 1 and (not number or user == username):
        return dids[0]
    return found


def international_forms(called: str) -> list[str]:
    """The E.164 numbers that `called` can be when no trunk's numbers help to read it, likeliest
    first: as it is, with the plus that was left out, without the prefix 00 or 011.
    """
    return _international(_user_part(called))


def _international(user: str) -> list[str]:
    compact = _SEPARATORS.sub("", user)
    if not _DIGITS.fullmatch(compact):
        return []
    forms = [compact]
    if not compact.startswith("+"):
        prefixes = [prefix for prefix in ("00", "011") if compact.startswith(prefix)]
        forms = [f"+{compact.removeprefix(prefix)}" for prefix in ("", *prefixes)]
    return [form for form in forms if _is_e164(form)]


def _national(digits: str, dids: Sequence[Did]) -> Did | None:
    # With a plus it is E.164, and none of ours: its end must not be taken for another number.
    ending = digits.removeprefix("0")
    if digits.startswith("+") or len(ending) < MIN_NATIONAL_DIGITS:
        return None
    meant = [did for did in dids if did.e164.endswith(ending)]
    return meant[0] if len(meant) == 1 else None


def _user_part(called: str) -> str:
    """`"Bob" <sip:+33…;npdi@host>` -> `+33…`; empty for a URI without user."""
    text = called.strip()
    if "<" in text:
        text = text.rpartition("<")[2].partition(">")[0]
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        text = rest
        if scheme.lower() != "tel" and "@" not in rest and not rest.startswith("+"):
            return ""
    text = text.partition("@")[0].partition(";")[0].partition("?")[0]
    return unquote(text.partition(":")[0]).strip()


def _is_e164(text: str) -> bool:
    try:
        parse_e164(text)
    except BadNumber:
        return False
    return True


def public_view(trunk: Trunk) -> dict[str, Any]:
    """The trunk as REST and events show it."""
    return trunk.model_dump(mode="json", exclude={"account_id"})


def did_view(did: Did) -> dict[str, Any]:
    """The number as REST and events show it."""
    return did.model_dump(mode="json", exclude={"account_id"})


def trunk_event(event_type: EventType, trunk: Trunk, now: int) -> Event:
    """`trunk.connected`, `.disconnected`, `.registered` or `.failed`."""
    return Event(
        event_id=event_id(
            trunk.trunk_id.removeprefix("trunk_"),
            event_type.value,
            f"{trunk.revision:03d}",
            to_text(now),
        ),
        type=event_type,
        account_id=trunk.account_id,
        at=now,
        data={"trunk": public_view(trunk)},
    )


def did_event(event_type: EventType, did: Did, now: int) -> Event:
    """`number.added` or `number.removed`; the id holds the moment: a number comes and goes.
    Without the agent's URL: such URLs hold tokens, and events go to more places than that one.
    """
    shown = {name: value for name, value in did_view(did).items() if name != "agent_url"}
    return Event(
        event_id=event_id(did.e164.removeprefix("+"), event_type.value, to_text(now)),
        type=event_type,
        account_id=did.account_id,
        at=now,
        data={"number": shown},
    )


def not_added_event(trunk: Trunk, to: str, from_: str, now: int) -> Event:
    """`number.not_added`: a call that the trunk brought was for none of its numbers.

    `to` and `from_` are whatever the carrier wrote.
    """
    to, from_ = shown(to), shown(from_)
    whole = _user_part(to).startswith(("+", "00"))
    forms = international_forms(to) if whole else []
    remedy = (
        f'add it: POST /api/trunk/dids {{"e164": "{forms[0]}"}}'
        if forms
        else "add the number that it stands for, POST /api/trunk/dids, or have your carrier send "
        "the number called in E.164 form; this one is not clear (it counts if just one of the "
        f"trunk's numbers ends with it, in {MIN_NATIONAL_DIGITS} digits or more)"
    )
    return Event(
        event_id=event_id(
            trunk.trunk_id.removeprefix("trunk_"), "not_added", to_text(now), secrets.token_hex(4)
        ),
        type=EventType.NUMBER_NOT_ADDED,
        account_id=trunk.account_id,
        at=now,
        data={
            "trunk_id": trunk.trunk_id,
            "to": to,
            "from": from_,
            "detail": "A call through your trunk was rejected, since `to` is none of its numbers. "
            f"To take such calls {remedy}.",
        },
    )


def shown(text: str) -> str:
    """Somebody else's text, short and on one line."""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_SHOWN])
