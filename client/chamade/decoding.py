"""Reading JSON as models: frozen dataclasses that keep what they were read from."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

Model = TypeVar("Model")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The base of all models: holds the JSON that they were read from."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Page(typing.Generic[Model]):
    """A page of a list. `next_cursor`: the cursor of the next page; None at the end."""

    items: tuple[Model, ...]
    next_cursor: str | None = None


def decode(model: type[Model], shown: Any) -> Model:
    """Read JSON as a `model`. Raises ValueError if it is not such a thing."""
    if not isinstance(shown, Mapping):
        raise ValueError(f"{model.__name__}: an object is wanted, not {type(shown).__name__}")
    values: dict[str, Any] = {"raw": shown}
    for name, kind, required in _members(model):  # type: ignore[arg-type]
        member = name.removesuffix("_")
        if member in shown:
            values[name] = _value(kind, shown[member])
        elif required:
            raise ValueError(f"{model.__name__}: {member} is missing")
    return model(**values)


@cache
def _members(model: type) -> list[tuple[str, Any, bool]]:
    hints = typing.get_type_hints(model)
    missing = dataclasses.MISSING
    return [
        (one.name, hints[one.name], one.default is missing and one.default_factory is missing)
        for one in dataclasses.fields(model)
        if one.name != "raw"
    ]


def _value(kind: Any, shown: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if shown is None:
            return None
        (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
        return _value(kind, shown)
    if origin is tuple:
        return tuple(_value(typing.get_args(kind)[0], one) for one in shown or ())
    if kind is datetime:
        return datetime.fromisoformat(shown)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return decode(kind, shown)
    return shown
