"""The offer of this installation to everybody, as its operator has set it up."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line import trunk_checks


@dataclass(frozen=True)
class Offer:
    """The offer. `countries`: of the numbers in the pool, free or not."""

    sign_up: bool
    countries: list[str]
    trunk_providers: list[str]
    test_calls: bool


def describe_offer(deps: Dependencies) -> Offer:
    """Return what this installation offers."""
    return Offer(
        sign_up=deps.settings.sign_up_open,
        countries=deps.stores.lines.countries(),
        trunk_providers=trunk_checks.providers(deps),
        test_calls=deps.test_calls is not None,
    )
