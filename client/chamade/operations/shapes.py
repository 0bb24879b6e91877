"""Readers of answers: as one model, a list of them, a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chamade.decoding import Model, Page, decode


def shape(model: type[Model]) -> Callable[[Any], Model]:
    """Make a reader of answers that are one model."""
    return lambda shown: decode(model, shown)


def shapes(model: type[Model], member: str) -> Callable[[Any], list[Model]]:
    """Make a reader of answers that have a list of models in a member."""
    return lambda shown: [decode(model, one) for one in shown[member]]


def page(model: type[Model], member: str) -> Callable[[Any], Page[Model]]:
    """Make a reader of a page of a list."""
    return lambda shown: Page(
        items=tuple(decode(model, one) for one in shown[member]),
        next_cursor=shown.get("next_cursor"),
    )


def nothing(_: Any) -> None:
    """Read an answer that says no more than that it is done."""
