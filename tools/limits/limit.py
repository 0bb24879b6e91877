"""A row of docs/limits.md."""

from __future__ import annotations

import importlib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal

Owner = Literal[
    "source address", "socket", "call", "number", "trunk", "endpoint", "API key", "account",
    "process", "installation",
]  # fmt: skip
"""Kinds of clients; each client has a bound of its own."""


@dataclass(frozen=True)
class Limit:
    """A bound, its place in the code, and the test that goes beyond it.

    `constant` is `module:NAME`, or `module:Class.field` for a setting's default, so that the page
    always shows the value that the code uses. A text without a colon is shown as it is, for bounds
    that a configuration file holds. `test` is `path::name`, as pytest takes it.
    """

    resource: str
    constant: str
    unit: str
    owner: Owner
    beyond: str
    test: str
    setting: str = ""
    """The way for the operator to change the bound, if there is one."""

    @property
    def bound(self) -> str:
        """Return the bound as the page shows it."""
        value = value_of(self.constant)
        shown = f"{value:,}" if isinstance(value, int) else f"{value}"
        return f"{shown} {self.unit}".strip()


def value_of(constant: str) -> Any:
    """Return the value of `module:NAME` or `module:Class.field`. Raises LookupError if there is
    none."""
    module, colon, name = constant.partition(":")
    if not colon:
        return constant
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = _default(found, part) if is_dataclass(found) else getattr(found, part)
    return found


def _default(dataclass_: Any, name: str) -> Any:
    for each in fields(dataclass_):
        if each.name == name:
            if each.default is MISSING:
                raise LookupError(f"{dataclass_.__name__}.{name} has no default")
            return each.default
    raise LookupError(f"{dataclass_.__name__} has no field {name}")
