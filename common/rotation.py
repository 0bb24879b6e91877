"""Secrets that can be changed without a lost call: a setting holds one or more values.

The values have commas between them: the present one, then those before it. The first one signs; a
signature of any of them is accepted.

To change a secret, add the new value behind the present one everywhere, then put it before it
everywhere, and remove the old one when nothing that it signed is valid any more
(docs/operations.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable


def accepted(secret: str) -> list[str]:
    """Return all values of a secret, the one that signs first; none of a blank one."""
    return [value for each in secret.split(",") if (value := each.strip())]


def signing(secret: str) -> str:
    """Return the value that signs. A signature with a blank secret is never accepted."""
    return next(iter(accepted(secret)), "")


def well_formed(secret: str) -> bool:
    """Return whether no value is blank: a misplaced comma must not pass unseen."""
    return all(each.strip() for each in secret.split(","))


def same(given: str | bytes, wanted: Iterable[str | bytes]) -> bool:
    """Return whether `given` is one of `wanted`, in constant time."""
    raw = _raw(given)
    found = [hmac.compare_digest(raw, _raw(each)) for each in wanted]
    return any(found)


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
