"""Settings of a trunk, as its owner gives them, restricted to what a SIP account can contain.

Only this model has the password: it is not part of a `Trunk`.
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
    model_validator,
)

from chalicelib.domain.country import CountryOfAnyCase
from chalicelib.domain.host import Host, is_address
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164

SIP_PORT, SIPS_PORT = 5060, 5061

Provider = Literal["gateway", "twilio"]
Transport = Literal["udp", "tcp", "tls"]
_USERNAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_REALM = re.compile(r"[!-~]{1,128}", re.ASCII)
_UNSAFE = "@;<>?\"'`\\,"
"""Characters that would end a field of the SIP stack's account line or of a header
(gateway/trunks/trunk.py)."""


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
# After `_default_port` a JSON array is a list, which strict validation refuses as a tuple.
Countries = Annotated[
    tuple[CountryOfAnyCase, ...],
    Field(max_length=300),
    AfterValidator(_countries),
    BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
]


class TrunkSettings(Model):
    """A trunk's settings, always all of them with the password. So somebody who has stolen an API
    key cannot add to `allowed_countries`, or send the stored password to another host: without the
    password, the settings do not work.
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

    @property
    def sip_domains(self) -> tuple[str, ...]:
        """Return the names that calls through the trunk are addressed to: its host, and its
        realm.
        """
        realm = (self.realm or "").lower().rstrip(".")
        return (self.host, realm) if realm else (self.host,)

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("transport") == "tls" and "port" not in given:
            return {**given, "port": SIPS_PORT}
        return given

    @model_validator(mode="after")
    def _tls_names_its_host(self) -> TrunkSettings:
        """Refuse TLS to an address: the SIP stack checks certificates against names only, so it
        would accept anybody's certificate from an address.
        """
        if self.transport == "tls" and is_address(self.host):
            raise ValueError(
                "transport tls needs the host's name, not its address: certificates name hosts"
            )
        return self

    @model_validator(mode="after")
    def _leaves_twilio_alone(self) -> TrunkSettings:
        """Refuse hosts of Twilio: calls would go into our own application, or through the
        operator's account to somebody else's SIP domain.
        """
        if any(f".{name}".endswith(".twilio.com") for name in self.sip_domains):
            raise ValueError(
                "a trunk's host and realm are none of twilio.com: give those of your carrier "
                "(with provider twilio it sends its calls to inbound_uri)"
            )
        return self
