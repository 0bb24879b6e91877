"""Settings of the application, from the environment. Read once, when first needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chalicelib.domain.delivery_bounds import TRIES_AT_ONCE
from chalicelib.domain.host import ascii_host, public_host
from chalicelib.domain.voice import MAX_HOSTS
from chalicelib.providers.twilio import TWILIO_API, TwilioAccount
from common.rotation import well_formed

RECORDING_DAYS = 30
"""Days for which recordings are kept, unless the operator sets others."""
RECORDING_ACCOUNT_GB = 10
"""Gigabytes of an account's recordings: 174 hours."""


class BadConfig(Exception):
    """A setting is missing or makes no sense; the message names it."""


@dataclass(frozen=True)
class Config:
    """Settings. Secrets stay out of its repr, and so out of logs."""

    table: str
    public_url: str
    relay_url: str
    ring_state_machine: str
    token_secret: str = field(repr=False)
    control_secret: str = field(repr=False)
    agent_token_secret: str = field(repr=False, default="")
    accounts: tuple[TwilioAccount, ...] = field(repr=False, default=())
    gateway_control_secret: str = field(repr=False, default="")
    kms_key_id: str = ""
    key_file: str = ""
    twilio_sip_domain: str | None = None
    allow_private_trunks: bool = False
    delivery_state_machine: str = ""
    allow_private_webhooks: bool = False
    sign_up_open: bool = True
    gateway_socket_url: str = ""
    tries_at_once: int = TRIES_AT_ONCE
    sip_hosts: tuple[str, ...] = ()
    trunks_by_address: bool = True
    many_gateways: bool = False
    voice_urls: tuple[str, ...] = ()
    voice_secret: str = field(repr=False, default="")
    relay_door_url: str = ""
    recording_bucket: str = ""
    recording_function: str = ""
    recording_days: int = RECORDING_DAYS
    recording_account_gb: int = RECORDING_ACCOUNT_GB

    @property
    def own_hosts(self) -> frozenset[str]:
        """Return the host names at which this installation is reached, in ASCII; addresses of our
        own network are not among them.
        """
        urls = (
            self.public_url,
            self.relay_url,
            self.gateway_socket_url,
            self.relay_door_url,
            *self.voice_urls,
            *(account.api_url for account in self.accounts),
        )
        named = [urlsplit(url).hostname or "" for url in urls]
        named += [self.twilio_sip_domain or "", *self.sip_hosts]
        found = {ascii_host(name) for name in named if name}
        return frozenset(name for name in found if public_host(name))


def from_environment(env: Mapping[str, str] = os.environ) -> Config:
    """Return the settings in `CHAMADE_*`. Raises BadConfig, which names the first one that is
    missing.
    """
    public_url = _required(env, "CHAMADE_PUBLIC_URL").rstrip("/")
    _required(env, "CHAMADE_RELAY_URL")
    relay_url = _socket_url(env, "CHAMADE_RELAY_URL")
    accounts = [
        TwilioAccount(
            name=name,
            account_sid=env[f"CHAMADE_{name.upper()}_ACCOUNT_SID"],
            auth_token=_secret(env, f"CHAMADE_{name.upper()}_AUTH_TOKEN"),
            public_url=public_url,
            relay_url=relay_url,
            api_url=env.get(f"CHAMADE_{name.upper()}_API_URL", TWILIO_API).rstrip("/"),
        )
        for name in ("twilio", "gateway")
        if env.get(f"CHAMADE_{name.upper()}_ACCOUNT_SID")
    ]
    if not accounts:
        raise BadConfig(
            "no trunking provider: set CHAMADE_TWILIO_ACCOUNT_SID or CHAMADE_GATEWAY_ACCOUNT_SID"
        )
    voice_urls = _voice_urls(env)
    if env.get("CHAMADE_KMS_KEY_ID") and env.get("CHAMADE_KEY_FILE"):
        raise BadConfig("set CHAMADE_KMS_KEY_ID or CHAMADE_KEY_FILE, not both")
    return Config(
        table=_required(env, "CHAMADE_TABLE"),
        public_url=public_url,
        relay_url=relay_url,
        ring_state_machine=_required(env, "CHAMADE_RING_STATE_MACHINE"),
        token_secret=_secret(env, "CHAMADE_TOKEN_SECRET"),
        control_secret=_secret(env, "CHAMADE_CONTROL_SECRET"),
        agent_token_secret=env.get("CHAMADE_AGENT_TOKEN_SECRET", ""),
        accounts=tuple(accounts),
        gateway_control_secret=(
            _secret(env, name) if env.get(name := "CHAMADE_GATEWAY_CONTROL_SECRET") else ""
        ),
        kms_key_id=env.get("CHAMADE_KMS_KEY_ID", ""),
        key_file=env.get("CHAMADE_KEY_FILE", ""),
        twilio_sip_domain=env.get("CHAMADE_TWILIO_SIP_DOMAIN") or None,
        allow_private_trunks=env.get("CHAMADE_ALLOW_PRIVATE_TRUNKS") == "1",
        delivery_state_machine=_required(env, "CHAMADE_DELIVERY_STATE_MACHINE"),
        allow_private_webhooks=env.get("CHAMADE_ALLOW_PRIVATE_WEBHOOKS") == "1",
        sign_up_open=_open(env, "CHAMADE_SIGN_UP"),
        trunks_by_address=_open(env, "CHAMADE_TRUNKS_BY_ADDRESS"),
        many_gateways=_many(env, "CHAMADE_GATEWAYS"),
        gateway_socket_url=_socket_url(env, "CHAMADE_GATEWAY_SOCKET_URL"),
        sip_hosts=tuple(env.get("CHAMADE_SIP_HOSTS", "").replace(",", " ").split()),
        voice_urls=voice_urls,
        voice_secret=_secret(env, "CHAMADE_VOICE_SECRET") if voice_urls else "",
        relay_door_url=_http_url("CHAMADE_RELAY_DOOR_URL", env.get("CHAMADE_RELAY_DOOR_URL", "")),
        recording_bucket=env.get("CHAMADE_RECORDING_BUCKET", ""),
        recording_function=env.get("CHAMADE_RECORDING_FUNCTION", ""),
        recording_days=_count(env, "CHAMADE_RECORDING_DAYS", RECORDING_DAYS),
        recording_account_gb=_count(env, "CHAMADE_RECORDING_GB", RECORDING_ACCOUNT_GB),
        tries_at_once=_count(env, "CHAMADE_TRIES_AT_ONCE", TRIES_AT_ONCE),
    )


def _count(env: Mapping[str, str], name: str, usual: int) -> int:
    value = env.get(name) or str(usual)
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= 1000):
        raise BadConfig(f"{name} is a number from 1 to 1000")
    return int(value)


def _open(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name) or "open"
    if value not in ("open", "closed"):
        raise BadConfig(f"{name} is open or closed")
    return value == "open"


def _many(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name) or "one"
    if value not in ("one", "many"):
        raise BadConfig(f"{name} is one or many")
    return value == "many"


def _socket_url(env: Mapping[str, str], name: str) -> str:
    url = env.get(name, "").rstrip("/")
    if url and not url.startswith(("ws://", "wss://")):
        raise BadConfig(f"{name} must start with ws:// or wss://")
    return url


def _voice_urls(env: Mapping[str, str]) -> tuple[str, ...]:
    name = "CHAMADE_VOICE_URLS"
    given = env.get(name, "").replace(",", " ").split()
    urls = tuple(dict.fromkeys(_http_url(name, each) for each in given))
    if len(urls) > MAX_HOSTS:
        raise BadConfig(f"{name} has at most {MAX_HOSTS} URLs")
    if any(urlsplit(url).path for url in urls):
        # Signatures cover the path, and relays are told one signature for all hosts.
        raise BadConfig(f"{name} has URLs without a path")
    return urls


def _http_url(name: str, given: str) -> str:
    url = given.rstrip("/")
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.hostname and not parts.query):
        raise BadConfig(f"{name} must start with http:// or https:// and name a host")
    return url


def _secret(env: Mapping[str, str], name: str) -> str:
    """Return a secret, with its former values (common/rotation.py)."""
    value = _required(env, name)
    if not well_formed(value):
        raise BadConfig(f"{name} has a comma too many: a value is blank")
    return value


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise BadConfig(f"{name} is not set")
    return value
