"""The pool of numbers, as the operator sees it: what is in it, who holds what."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.line import Line
from chalicelib.services.ports import Ports
from chalicelib.store.lines import NotFree


class NotInPool(Exception):
    """Somebody holds the number, or there is no such number."""


class UnknownProvider(ValueError):
    """This installation has no provider of that name."""


def add(ports: Ports, e164: str, country: str, provider: str) -> bool:
    """A number of ours that can be given out from now on; False if it is known already. Its calls
    have to be announced to us: that is set at the provider. UnknownProvider, ValidationError.
    """
    if provider not in ports.providers:
        raise UnknownProvider(provider)
    return ports.lines.add_to_pool(Line(e164=e164, country=country, provider=provider))


def remove(ports: Ports, e164: str) -> None:
    """Take a number out that nobody holds. NotInPool."""
    try:
        ports.lines.remove_from_pool(e164)
    except NotFree:
        raise NotInPool(e164) from None


def every(ports: Ports) -> Iterator[Line]:
    """All numbers, held and free, by country and number."""
    return iter(sorted(ports.lines.every(), key=lambda line: (line.country, line.e164)))


def counts(ports: Ports) -> dict[str, tuple[int, int]]:
    """Country -> how many numbers are held, and how many free."""
    found: dict[str, tuple[int, int]] = {}
    for line in every(ports):
        held, free = found.get(line.country, (0, 0))
        found[line.country] = (held + 1, free) if line.account_id else (held, free + 1)
    return found
