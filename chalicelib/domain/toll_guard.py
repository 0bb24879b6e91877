"""The guard against toll fraud: numbers that are never dialled, and countries that a trunk dials.

What a thief can earn with a stolen API key depends on what it can dial. So calls go only to
countries that the trunk's owner has to do with, and never to numbers that earn money for the called
party.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.dial_rules import NotDialled

WORLD_RANGES = {
    "+808": "international shared cost",
    "+870": "Inmarsat satellite",
    "+878": "universal personal telecommunications",
    "+881": "global mobile satellite",
    "+882": "international networks",
    "+883": "international networks",
    "+888": "disaster relief",
    "+979": "international premium rate",
}
"""Ranges that belong to no country (ITU-T E.164, assigned codes). Most cost euros a minute."""

COSTLY_KINDS = {
    "premium_rate": "premium rate",
    "shared_cost": "shared cost",
    "personal_number": "a personal number, which forwards anywhere at the caller's cost",
    "pager": "a pager",
}
"""Kinds of numbers (of libphonenumber) whose price does not follow from their country."""


@dataclass(frozen=True)
class NumberingFacts:
    """A number's facts in the numbering plans. `country` is ISO 3166 alpha-2, None for a range of
    the whole world; `kind` is libphonenumber's, in small letters.
    """

    valid: bool
    country: str | None
    kind: str


def check_number(e164: str, facts: NumberingFacts, allowed: Iterable[str]) -> None:
    """Check that the number may be dialled. Raises NotDialled (`premium_number`, `bad_number`,
    `country_not_allowed`).
    """
    world = WORLD_RANGES.get(e164[:4])
    costly = world or COSTLY_KINDS.get(facts.kind)
    if costly:
        raise NotDialled(
            "premium_number", f"{e164} is {costly}: such numbers are never dialled from here."
        )
    if not facts.valid:
        raise NotDialled(
            "bad_number",
            f"{e164} is a number that its country has not allocated: look it up again, and write "
            "it without its national prefix.",
        )
    countries = sorted(set(allowed))
    if facts.country not in countries:
        where = f"in {facts.country}" if facts.country else "in no country"
        may = f"may dial {', '.join(countries)}" if countries else "may not dial anywhere yet"
        raise NotDialled(
            "country_not_allowed",
            f"{e164} is {where}; your trunk {may}. Add the country to its allowed_countries.",
            country=facts.country,
        )
