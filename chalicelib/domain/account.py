"""Accounts and their API keys. A key is shown once; what is kept is its SHA-256.

A key reads `chmd_live_<43 base62 characters><6 characters of CRC32>`: 256 random bits, and a check
by which clients and secret scanners tell a typo from a key without asking anybody.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.instant import Instant
from chalicelib.domain.shape import Shape

KEY_PREFIX = "chmd_live_"
DEFAULT_MAX_NUMBERS = 5
DEFAULT_MAX_CONCURRENT_DIALS = 5
DEFAULT_MAX_DIALS_PER_MINUTE = 10
DEFAULT_MAX_CALL_S = 4 * 3600
DEFAULT_MAX_KEYS = 20

USE_NOTED_EVERY_MS = 3_600_000
"""How exact a key's `last_used_at` is: to note each use would be a write a request."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS, _CHECK_CHARS = 43, 6


class Account(Shape):
    """Who owns numbers, calls and keys, and how much of each: the operator may set the limits.

    `rate_factor`: how many times as often as usual it may do what has a rate limit.
    `hosted_voice`: takes part in the closed beta of hosted speech. `suspended`: its keys open
    nothing, calls to its numbers are rejected; calls that are up go on.
    """

    model_config = ConfigDict(frozen=True)

    account_id: str
    name: str = Field(min_length=1, max_length=200)
    created_at: Instant
    max_numbers: int = DEFAULT_MAX_NUMBERS
    max_concurrent_dials: int = DEFAULT_MAX_CONCURRENT_DIALS
    max_dials_per_minute: int = DEFAULT_MAX_DIALS_PER_MINUTE
    max_call_s: int = DEFAULT_MAX_CALL_S
    max_keys: int = DEFAULT_MAX_KEYS
    rate_factor: int = Field(default=1, ge=1)
    hosted_voice: bool = False
    suspended: bool = False
    numbers_held: int = 0
    keys_held: int = 1
    agent_token_version: int = 1


class ApiKey(Shape):
    """What is known of a key once it has been shown."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    account_id: str
    hash: str
    last4: str
    label: str = Field(default="", max_length=100)
    created_at: Instant
    last_used_at: Instant | None = None
    suspended: bool = False

    def use_to_be_noted(self, now: int) -> bool:
        """True if a use at `now` is to be noted: the last one that was is an hour ago."""
        return self.last_used_at is None or now - self.last_used_at >= USE_NOTED_EVERY_MS


_LIMITS = ("max_numbers", "max_keys", "max_concurrent_dials", "max_dials_per_minute", "max_call_s")


def account_view(account: Account) -> dict[str, Any]:
    """The account as REST shows it."""
    shown = account.model_dump(mode="json")
    return {
        **{name: shown[name] for name in ("account_id", "name", "created_at", "hosted_voice")},
        "limits": {name: shown[name] for name in _LIMITS},
    }


def key_view(key: ApiKey) -> dict[str, Any]:
    """The key as REST shows it: nothing that opens anything."""
    return key.model_dump(mode="json", exclude={"hash", "account_id", "suspended"})


def new_account_id() -> str:
    """`acc_` and 96 random bits in hex."""
    return f"acc_{secrets.token_hex(12)}"


def mint_key() -> str:
    """A fresh key, in clear. The only moment it exists outside its owner's hands."""
    secret = _base62(secrets.randbits(256), _SECRET_CHARS)
    return f"{KEY_PREFIX}{secret}{_check(secret)}"


def looks_like_key(text: str) -> bool:
    """True if `text` has the form of a key and its check characters agree."""
    secret = text.removeprefix(KEY_PREFIX)
    if secret == text or len(secret) != _SECRET_CHARS + _CHECK_CHARS or not secret.isascii():
        return False
    return _check(secret[:_SECRET_CHARS]) == secret[_SECRET_CHARS:]


def key_hash(key: str) -> str:
    """SHA-256 in hex: the look-up key. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def _check(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECK_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
