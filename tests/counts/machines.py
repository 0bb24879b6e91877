"""The state machines of `infra/`, walked as Step Functions walks them, their transitions counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.engine import ROOT

Task = Callable[[], dict[str, Any]]


def walk(file: str, task: Task, wait: Callable[[str | None], None]) -> int:
    """Transitions of one execution of a definition: the start, and each state that is entered.

    `task` is what its Lambda function does and answers; `wait` is given the `next_at` of the last
    answer (None: the one that the input has).
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
                wait(result.get("next_at"))
                name = state["Next"]
            case "Task":
                result = task()
                name = state["Next"]
            case "Choice":
                name = next(
                    (c["Next"] for c in state["Choices"] if _holds(c, result)), state["Default"]
                )
            case other:
                raise AssertionError(f"no {other} is walked here")


def _holds(choice: dict[str, Any], result: dict[str, Any]) -> bool:
    return bool(result[choice["Variable"].removeprefix("$.result.")] == choice["StringEquals"])
