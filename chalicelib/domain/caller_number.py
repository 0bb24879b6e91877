"""The E.164 form of a number that a carrier writes as it is dialled in its country."""

from __future__ import annotations

import re
from typing import Protocol

from chalicelib.domain.did_matching import international_forms

_DIGITS = re.compile(r"[0-9]{7,18}", re.ASCII)
"""Fewer are an extension or a short code. The longest is E.164's 15 digits after a prefix."""
_LOCAL = re.compile(r"tel:([0-9*#]{2,32});phone-context=\+([0-9]{1,3})", re.ASCII)
"""A local number with its country code (RFC 3966), as the gateway passes it on."""
_PREFIX = "00"
"""Dialled before a country code in most countries, and written by carriers of all."""


class Plans(Protocol):
    """The numbering plans of the world, as one country dials them."""

    @property
    def country(self) -> str | None:
        """Return the country; None if it is not known."""

    def is_allocated(self, e164: str) -> bool:
        """Return whether the number is allocated, in exactly this form."""

    def dialled(self, written: str) -> str | None:
        """Return the allocated E.164 number that a caller in the country dials in this way."""


def in_full(written: str, plans: Plans) -> str:
    """Return the E.164 number that `written` means in the plans' country: `0612345678`,
    `33612345678` and `0033612345678` are `+33612345678` in France.

    A number that can be read as none or as several, and whatever is no number, stays as it is; but
    a local number stays without its country code, which belongs to no number then.
    """
    if local := _LOCAL.fullmatch(written):
        return plans.dialled(written) or _without_context(local[1], local[2], plans)
    if not _DIGITS.fullmatch(written):
        return written
    if plans.country is None and not written.startswith(_PREFIX):
        return written
    readings = {form for form in international_forms(written) if plans.is_allocated(form)}
    if national := plans.dialled(written):
        readings.add(national)
    return readings.pop() if len(readings) == 1 else written


def _without_context(number: str, code: str, plans: Plans) -> str:
    """Return the number, with a plus if a sender has written its country code twice."""
    e164 = f"+{number}"
    return e164 if number.startswith(code) and plans.is_allocated(e164) else number


def needs_reading(written: str) -> bool:
    """Return whether `in_full` may return something else: most numbers come as E.164."""
    return bool(_LOCAL.fullmatch(written) or _DIGITS.fullmatch(written))
