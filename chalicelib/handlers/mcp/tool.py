"""A tool of MCP. It has no rules of its own: its arguments are parts of its operation's path, body
or query, which the operation checks; its result is the operation's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool.

    `arguments`: argument -> its description; `renamed`: argument -> its name in the operation, if
    that differs. `fixed`: further values for the operation; `defaults`: a function from the given
    arguments to values for the missing ones.
    """

    name: str
    title: str
    operation: str
    description: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda given: {}  # noqa: ARG005
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False

    def operations_name(self, argument: str) -> str:
        """Return the operation's name of an argument."""
        return self.renamed.get(argument, argument)
