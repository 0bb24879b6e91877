"""The state machines of `infra/`, walked as Step Functions walks them, and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.engine import ROOT


def walk(file: str, task: Callable[[], dict[str, Any]]) -> int:
    """Transitions of one execution of a definition: the start, and each state that is entered.

    `task` is what its Lambda function does and answers. Waits are over at once.
    """
    machine = json.loads((ROOT / "infra" / file).read_text())
    states, result = machine["States"], dict[str, Any]()
    name, transitions = machine["StartAt"], 1
    while True:
        state = states[name]
        transitions += 1
        match state["Type"]:
            case "Succeed":
                return transitions
            case "Wait":
                name = state["Next"]
            case "Task":
                result, name = task(), state["Next"]
            case "Choice":
                holding = (choice for choice in state["Choices"] if _holds(choice, result))
                name = next((choice["Next"] for choice in holding), state["Default"])
            case other:
                raise AssertionError(f"no {other} is walked here")


def _holds(choice: dict[str, Any], result: dict[str, Any]) -> bool:
    return bool(result[choice["Variable"].removeprefix("$.result.")] == choice["StringEquals"])
