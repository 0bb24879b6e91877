"""What this installation offers to everybody, as its operator has set it up."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.services import trunks
from chalicelib.services.ports import Ports


@dataclass(frozen=True)
class Offered:
    """`countries`: of the numbers in the pool, whether or not one is free this moment."""

    sign_up: bool
    countries: list[str]
    trunk_providers: list[str]
    test_calls: bool


def offered(ports: Ports) -> Offered:
    """What there is."""
    return Offered(
        sign_up=ports.sign_up_open,
        countries=ports.lines.countries(),
        trunk_providers=trunks.providers(ports),
        test_calls=ports.test_calls is not None,
    )
