"""The stack's secrets: made at the first start, kept in the state folder, readable by its owner."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """The secrets of one local stack. `api_key` is empty until the account is seeded."""

    token_secret: str = field(repr=False)
    control_secret: str = field(repr=False)
    provider_account_sid: str
    provider_auth_token: str = field(repr=False)
    api_key: str = field(default="", repr=False)
    gateway_control_secret: str = field(default="", repr=False)
    carrier_password: str = field(default="", repr=False)
    voice_secret: str = field(default="", repr=False)

    @classmethod
    def load(cls, state_dir: Path) -> Credentials:
        """Load the secrets of the last start, or make new ones. Also makes the vault's key, if
        there is none."""
        if not key_file(state_dir).exists():
            write_private(key_file(state_dir), secrets.token_bytes(32))
        path = _file(state_dir)
        if path.exists():
            kept = cls(**json.loads(path.read_text()))
            whole = kept._completed()
            if whole != kept:
                whole.save(state_dir)
            return whole
        fresh = cls(
            token_secret=secrets.token_hex(32),
            control_secret=secrets.token_hex(32),
            provider_account_sid="AC" + secrets.token_hex(16),
            provider_auth_token=secrets.token_hex(16),
        )._completed()
        fresh.save(state_dir)
        return fresh

    def _completed(self) -> Credentials:
        """Return a copy with the secrets that are blank: an older version did not have them."""
        return replace(
            self,
            gateway_control_secret=self.gateway_control_secret or secrets.token_hex(32),
            carrier_password=self.carrier_password or secrets.token_hex(8),
            voice_secret=self.voice_secret or secrets.token_hex(32),
        )

    def with_api_key(self, api_key: str) -> Credentials:
        """Return a copy with the seeded account's key."""
        return replace(self, api_key=api_key)

    def save(self, state_dir: Path) -> None:
        """Save the secrets for the next start."""
        write_private(_file(state_dir), json.dumps(asdict(self), indent=2))


def key_file(state_dir: Path) -> Path:
    """Return the path of the key with which the application seals trunks' passwords: 32 random
    bytes."""
    return state_dir / "vault.key"


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    partial.replace(path)


def _file(state_dir: Path) -> Path:
    return state_dir / "credentials.json"
