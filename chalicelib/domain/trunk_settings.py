"""Settings of a trunk, as its owner gives them, restricted to what a SIP account can contain.

Only this model has the password: it is not part of a `Trunk`.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from chalicelib.domain.country import CountryOfAnyCase
from chalicelib.domain.host import Host, is_address
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164
from chalicelib.domain.trunk_fields import (
    MAX_FALLBACKS,
    MAX_NETWORKS,
    MAX_PREFIX,
    Auth,
    CallerIdIn,
    Countries,
    DialPrefix,
    Fallbacks,
    KeepAlive,
    Networks,
    NumberFormat,
    OutboundProxy,
    Password,
    Provider,
    Realm,
    Srtp,
    Transport,
    Username,
    split_proxy,
    with_usual_srtp,
)

SIP_PORT, SIPS_PORT = 5060, 5061


class TrunkOptions(Model):
    """The settings of a trunk that all have a default, and that its owner may see again."""

    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="null: found by DNS (NAPTR, SRV), else "
        f"{SIP_PORT}, with `tls` {SIPS_PORT}; a given one means that no SRV record is asked for",
    )
    transport: Transport = Field(default="udp", description="`tls` needs the host's name")
    realm: Realm | None = Field(
        default=None, description="what stands behind the @, if that is not the host"
    )
    caller_id: E164 | None = Field(
        default=None, description="the number to call as", examples=["+33199005678"]
    )
    provider: Provider = Field(
        default="gateway",
        description="`gateway` connects to your trunk; with `twilio` your trunk sends its calls "
        "to `inbound_uri`",
    )
    allowed_countries: Countries = Field(
        default=(),
        description="where it may dial besides the country of `caller_id`: ISO 3166",
        examples=[["FR", "DE"]],
    )
    auth: Auth = Field(
        default="register",
        description="`register`: calls come in through a registration; `ip`: nothing registers, "
        "calls come from `networks`; `both`",
    )
    networks: Networks = Field(
        default=(),
        validate_default=True,
        description=f"with auth `ip` or `both`: where calls come from, 1 to {MAX_NETWORKS} "
        "networks, IPv4 /20 to /32 or IPv6 /48 to /128",
        examples=[["198.51.100.0/24"]],
    )
    srtp: Srtp = Field(
        default="off",
        description="encryption of the audio: `off`; `offered`: if the other side can; `required`: "
        "calls without it fail. Default: `offered` with `tls`, else `off`",
    )
    outbound_proxy: OutboundProxy | None = Field(
        default=None,
        description="`host` or `host:port` that requests are sent to instead of `host`",
        examples=["proxy.carrier.example:5060"],
    )
    user_phone: bool = Field(
        default=False, description="`;user=phone` in the URIs with numbers of calls that you dial"
    )
    number_format: NumberFormat = Field(
        default="e164",
        description="how the carrier wants numbers written: `e164` +33612345678, `plain` "
        "33612345678, `00` 0033612345678, `national` 0612345678 in the trunk's country, others as "
        "`00`",
    )
    dial_prefix: DialPrefix = Field(
        default="",
        description=f"put before the number called, up to {MAX_PREFIX} digits, * or #: the outside "
        "line of a PBX",
        examples=["0"],
    )
    country: CountryOfAnyCase | None = Field(
        default=None,
        description="the country of national numbers, ISO 3166; null: that of `caller_id`, or of "
        "the trunk's numbers",
    )
    caller_id_in: CallerIdIn = Field(
        default="auto",
        description="where the number to call as stands: `from`, `pai` (P-Asserted-Identity), "
        "`ppi` (P-Preferred-Identity), `rpid` (Remote-Party-ID); with the last three From is your "
        "account. `auto`: From and P-Asserted-Identity, and after a 403 once more with your "
        "account in From",
    )
    keep_alive: KeepAlive = Field(
        default="none",
        description="`crlf`: an empty line every 25 s; `options`: an OPTIONS every 30 s, and the "
        "trunk has failed when two in a row get no answer",
    )
    fallback: Fallbacks = Field(
        default=(),
        description=f"up to {MAX_FALLBACKS} other trunks of yours, by name, tried in this order if "
        "this one cannot place a call",
    )


_OF_THE_GATEWAY = (
    "auth",
    "networks",
    "srtp",
    "outbound_proxy",
    "user_phone",
    "caller_id_in",
    "keep_alive",
    "fallback",
)
"""Settings that only our gateway can follow."""


class TrunkSettings(TrunkOptions):
    """A trunk's settings, always all of them with the password. So somebody who has stolen an API
    key cannot add to `allowed_countries`, or send the stored password to another host: without the
    password, the settings do not work.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Host = Field(
        description="DNS name or IP address alone, on the public Internet",
        examples=["sip.carrier.example"],
    )
    username: Username | None = Field(
        default=None,
        validate_default=True,
        description="the part before the @ of your account; auth `ip` needs none",
        examples=["acct42"],
    )
    password: Password | None = Field(
        default=None,
        validate_default=True,
        repr=False,
        description="of that account; never shown again",
    )

    @property
    def sip_domains(self) -> tuple[str, ...]:
        """Return the names that calls through the trunk are addressed or sent to: its host, its
        realm and its proxy.
        """
        realm = (self.realm or "").lower().rstrip(".")
        return tuple(name for name in (self.host, realm, self.proxy_host) if name)

    @property
    def proxy_host(self) -> str | None:
        """Return the host of the outbound proxy."""
        return split_proxy(self.outbound_proxy)[0] if self.outbound_proxy else None

    @model_validator(mode="before")
    @classmethod
    def _usual_srtp(cls, given: Any) -> Any:
        return with_usual_srtp(given)

    @field_validator("networks", mode="after")
    @classmethod
    def _fit_auth(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        auth = info.data.get("auth")
        if auth == "register" and given:
            raise ValueError(
                "networks count only with auth ip or both: set one of them, or leave networks out"
            )
        if auth in ("ip", "both") and not given:
            raise ValueError(
                f"auth {auth} needs networks: the addresses that your carrier sends calls from, as "
                "its documentation lists them"
            )
        return given

    @field_validator("username", "password", mode="after")
    @classmethod
    def _is_there(cls, given: Any, info: ValidationInfo) -> Any:
        auth = info.data.get("auth")
        if given is None and auth in ("register", "both"):
            raise ValueError(
                f"auth {auth} needs it: the one of your account at the carrier. If calls come from "
                "fixed addresses without an account, set auth ip and networks"
            )
        named = info.data.get("username") is not None
        if info.field_name == "password" and "username" in info.data and named != bool(given):
            raise ValueError("give username and password together, or neither of them")
        return given

    @model_validator(mode="after")
    def _tls_names_its_host(self) -> TrunkSettings:
        """Refuse TLS to an address: the SIP stack checks certificates against names only, so it
        would accept anybody's certificate from an address.
        """
        for what, host in (("host", self.host), ("outbound_proxy", self.proxy_host)):
            if self.transport == "tls" and host and is_address(host):
                raise ValueError(
                    f"transport tls needs the {what}'s name, not its address: certificates name "
                    "hosts"
                )
        return self

    @model_validator(mode="after")
    def _leaves_twilio_alone(self) -> TrunkSettings:
        """Refuse hosts of Twilio: calls would go into our own application, or through the
        operator's account to somebody else's SIP domain.
        """
        if any(f".{name}".endswith(".twilio.com") for name in self.sip_domains):
            raise ValueError(
                "a trunk's host, realm and outbound_proxy are none of twilio.com: give those of "
                "your carrier (with provider twilio it sends its calls to inbound_uri)"
            )
        return self

    @model_validator(mode="after")
    def _twilio_can_follow(self) -> TrunkSettings:
        if self.provider == "gateway":
            return self
        usual = with_usual_srtp({"transport": self.transport})
        for name in _OF_THE_GATEWAY:
            if getattr(self, name) != usual.get(name, TrunkOptions.model_fields[name].default):
                raise ValueError(f"{name} is for trunks of provider gateway: leave it out")
        return self
