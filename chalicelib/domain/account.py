"""Accounts and their API keys. A key is shown once; what is kept is its SHA-256.

A key reads `chmd_live_<43 base62 characters><6 characters of CRC32>`: 256 random bits, and a check
by which clients and secret scanners tell a key from a typo without a request.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.instant import Instant
from chalicelib.domain.model import Model

KEY_PREFIX = "chmd_live_"
DEFAULT_MAX_NUMBERS = 5
DEFAULT_MAX_CONCURRENT_DIALS = 5
DEFAULT_MAX_DIALS_PER_MINUTE = 10
DEFAULT_MAX_CALL_S = 4 * 3600
DEFAULT_MAX_CONCURRENT_CALLS = 20
DEFAULT_MAX_WAITING_POLLS = 5
DEFAULT_MAX_KEYS = 20

NOTE_USE_EVERY_MS = 3_600_000
"""Precision of a key's `last_used_at`: noting every use would cost a write for each request."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS, _CHECK_CHARS = 43, 6


class Account(Model):
    """The owner of numbers, calls and keys, with its limits, which the operator may set.

    `max_call_s` is how long a call lasts at most, whoever called; `max_concurrent_calls` bounds
    calls of both directions at a time, `max_concurrent_dials` those that it dials among them.
    `rate_factor`: the factor by which its rate limits are higher than usual.
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
    max_concurrent_calls: int = DEFAULT_MAX_CONCURRENT_CALLS
    max_waiting_polls: int = DEFAULT_MAX_WAITING_POLLS
    max_keys: int = DEFAULT_MAX_KEYS
    rate_factor: int = Field(default=1, ge=1)
    hosted_voice: bool = False
    suspended: bool = False
    numbers_held: int = 0
    keys_held: int = 1
    agent_token_version: int = 1


class ApiKey(Model):
    """An API key as it is stored: its hash, label and last use."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    account_id: str
    hash: str
    last4: str
    label: str = Field(default="", max_length=100)
    created_at: Instant
    last_used_at: Instant | None = None

    def must_note_use(self, now: int) -> bool:
        """Return whether a use at `now` is to be noted: the last noted use is an hour ago or
        more.
        """
        return self.last_used_at is None or now - self.last_used_at >= NOTE_USE_EVERY_MS


LIMITS = (
    "max_numbers",
    "max_keys",
    "max_concurrent_calls",
    "max_concurrent_dials",
    "max_dials_per_minute",
    "max_call_s",
    "max_waiting_polls",
)


def account_view(account: Account) -> dict[str, Any]:
    """Return the account as REST shows it."""
    shown = account.model_dump(mode="json")
    return {
        **{name: shown[name] for name in ("account_id", "name", "created_at", "hosted_voice")},
        "limits": {name: shown[name] for name in LIMITS},
    }


def key_view(key: ApiKey) -> dict[str, Any]:
    """Return the key as REST shows it: nothing that opens anything."""
    return key.model_dump(mode="json", exclude={"hash", "account_id"})


def new_account_id() -> str:
    """Make an account id: `acc_` and 96 random bits in hex."""
    return f"acc_{secrets.token_hex(12)}"


def mint_key() -> str:
    """Make a new key, in clear. This is the only moment at which we have it in clear."""
    secret = _base62(secrets.randbits(256), _SECRET_CHARS)
    return f"{KEY_PREFIX}{secret}{_check(secret)}"


def looks_like_key(text: str) -> bool:
    """Return whether `text` has the form of a key and its check characters agree."""
    secret = text.removeprefix(KEY_PREFIX)
    if secret == text or len(secret) != _SECRET_CHARS + _CHECK_CHARS or not secret.isascii():
        return False
    return _check(secret[:_SECRET_CHARS]) == secret[_SECRET_CHARS:]


def key_hash(key: str) -> str:
    """Return the key's SHA-256 in hex, by which it is looked up. A key has 256 random bits, so it
    needs no salt and no slow hash.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def _check(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECK_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
