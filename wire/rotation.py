"""Secrets that are changed without a lost call: a setting holds one value, or the present one and
those before it, with commas between. The first signs; whatever any of them signed is accepted.

So a new value is added behind the present one everywhere, then put before it everywhere, and the
old one is taken away when nothing that it signed counts any more (docs/operations.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable


def accepted(secret: str) -> list[str]:
    """All values of a secret, the one that signs first; none of a blank one."""
    return [value for each in secret.split(",") if (value := each.strip())]


def signing(secret: str) -> str:
    """The value that signs. What a blank secret signs nobody accepts."""
    return next(iter(accepted(secret)), "")


def well_formed(secret: str) -> bool:
    """Whether there is no blank among the values: a slip of the comma must not pass unseen."""
    return all(each.strip() for each in secret.split(","))


def same(given: str | bytes, wanted: Iterable[str | bytes]) -> bool:
    """Whether `given` is one of `wanted`, in a time that does not tell which, or how nearly."""
    raw = _raw(given)
    found = [hmac.compare_digest(raw, _raw(each)) for each in wanted]
    return any(found)


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
