"""What a tool is. No rule is in one: arguments are members of its operation's path, body or query,
checked by it; the result is what it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool.

    `arguments`: what it takes, each with its description; `renamed`: those that the operation calls
    otherwise. `fixed`: what the operation is asked beside them; `defaults`: what it is asked where
    they are not given, from those that are.
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
        """What the operation calls an argument."""
        return self.renamed.get(argument, argument)
