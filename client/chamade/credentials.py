"""The API's URL and key: as given, from the environment, or those of a local stack.

A key reads `chmd_live_<43 characters><6 characters of CRC32>`, in base62, so that a typo is found
before anything is sent.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chamade.errors import BadCredentials

KEY = re.compile(r"chmd_live_([0-9A-Za-z]{43})([0-9A-Za-z]{6})", re.ASCII)
STACK_FILE = Path(".local/stack.json")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Credentials:
    """URL and key. Without `api_key` only operations that need none can be used, such as opening an
    account.
    """

    api_url: str
    api_key: str | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Return the key. Raises BadCredentials if there is none."""
        if self.api_key is None:
            raise BadCredentials("CHAMADE_API_KEY is not set, and this needs an API key.")
        return self.api_key


def find(
    api_url: str | None = None,
    api_key: str | None = None,
    env: Mapping[str, str] = os.environ,
    stack_file: Path = STACK_FILE,
) -> Credentials:
    """Find the URL and key: those given, else CHAMADE_API_URL and CHAMADE_API_KEY, else those of
    the stack that `make run` has up in this folder. Raises BadCredentials, which says what is
    missing.
    """
    url = api_url or env.get("CHAMADE_API_URL")
    key = api_key or env.get("CHAMADE_API_KEY")
    if not url and not key:
        url, key = _local_stack(stack_file)
    if not url:
        raise BadCredentials(
            "CHAMADE_API_URL is not set: where is the API? With `make run` going: . .local/env"
        )
    if not _is_api_url(url):
        raise BadCredentials(
            f"CHAMADE_API_URL is no address of an API: {url!r}. One looks like "
            "https://api.example or http://127.0.0.1:8700"
        )
    if key and not looks_like_key(key):
        raise BadCredentials(
            "CHAMADE_API_KEY is no API key: a typo, or not all of it (chmd_live_ and 49 characters)"
        )
    return Credentials(url.rstrip("/"), key or None)


def looks_like_key(text: str) -> bool:
    """Return whether `text` has the form of a key and its check characters agree."""
    match = KEY.fullmatch(text)
    return match is not None and _check(match[1]) == match[2]


def _is_api_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # an open bracket of IPv6, or a port that is no number
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and port != 0
    )


def _local_stack(path: Path) -> tuple[str | None, str | None]:
    try:
        stack = json.loads(path.read_text())
        url, key = str(stack["api_url"]), str(stack["api_key"])
        host = urlsplit(url).hostname
    except (OSError, ValueError, KeyError, TypeError):
        return None, None
    # The folder may be somebody else's: accept only a URL of this machine from its file.
    return (url, key) if host in _LOOPBACK else (None, None)


def _check(secret: str) -> str:
    number, digits = zlib.crc32(secret.encode()), ""
    while len(digits) < 6:
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits
