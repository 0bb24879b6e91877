"""The form of a number that a carrier wants when it is dialled: the inverse of
`caller_number.py`.
"""

from __future__ import annotations

from typing import Protocol

from chalicelib.domain.trunk_fields import NumberFormat

INTERNATIONAL_PREFIX = "00"
"""Written before a country code by carriers of all countries, whatever theirs dials."""


class Writer(Protocol):
    """The numbering plans of the world, as one country dials them."""

    def national(self, e164: str) -> str | None:
        """Return how the number is dialled in the country; None for another country's, or if the
        country is not known.
        """


def written(e164: str, number_format: NumberFormat, plans: Writer) -> str:
    """Return an E.164 number in the form that the carrier wants: digits, in `e164` with a plus."""
    digits = e164.removeprefix("+")
    if number_format == "e164":
        return e164
    if number_format == "plain":
        return digits
    national = plans.national(e164) if number_format == "national" else None
    return f"{INTERNATIONAL_PREFIX}{digits}" if national is None else national
