"""How answers are read: as one model, a list of them, a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chamade.models import Model, Page, decode


def shape(model: type[Model]) -> Callable[[Any], Model]:
    """Reads an answer as a model."""
    return lambda shown: decode(model, shown)


def shapes(model: type[Model], member: str) -> Callable[[Any], list[Model]]:
    """Reads the list in a member of an answer."""
    return lambda shown: [decode(model, one) for one in shown[member]]


def page(model: type[Model], member: str) -> Callable[[Any], Page[Model]]:
    """Reads a page of a list."""
    return lambda shown: Page(
        items=tuple(decode(model, one) for one in shown[member]),
        next_cursor=shown.get("next_cursor"),
    )


def nothing(_: Any) -> None:
    """Reads an answer that says no more than that it is done."""
