"""What an owner sets of a trunk, and what a SIP account can carry of it.

The password is here and nowhere else: it is not part of a `Trunk`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from chalicelib.domain.host import Host, is_address
from chalicelib.domain.phone import E164
from chalicelib.domain.shape import Shape

SIP_PORT, SIPS_PORT = 5060, 5061

Provider = Literal["gateway", "twilio"]
Transport = Literal["udp", "tcp", "tls"]
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_REALM = re.compile(r"[!-~]{1,128}", re.ASCII)
_UNSAFE = "@;<>?\"'`\\,"
"""What would end a field of the SIP stack's account line, or of a header (gateway/trunk.py)."""


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


class TrunkSettings(Shape):
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
        if self.transport == "tls" and is_address(self.host):
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
