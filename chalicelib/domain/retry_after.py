"""`Retry-After` as answers carry it: seconds, or a date (RFC 9110, 10.2.3)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def seconds(text: str | None, now: int) -> int | None:
    """Return how long to wait from `now` (epoch ms) on, never negative; None for what is neither
    form, whatever it is.
    """
    given = (text or "").strip()
    if given.isascii() and given.isdigit():
        return int(given[:9])
    try:
        at = parsedate_to_datetime(given)
        return max(0, int(at.timestamp()) - now // 1000)
    except (ValueError, OverflowError, TypeError, IndexError, OSError):
        return None
