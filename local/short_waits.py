"""The handling of deliveries with long waits on the local engine.

Each waiting execution takes a sleeping thread of the engine; AWS has no such limit. An endpoint
that is down for days would take thousands of threads. So here an execution waits only for tries
that are soon. Before a longer wait it ends, and the sweep starts the delivery again when it is due,
as it does for any delivery whose execution was lost (`OVERDUE_MS` late).
"""

from __future__ import annotations

import json
from typing import Any

LONGEST_WAIT_S = 60
"""Seconds: longer than the wait before the second try, shorter than the wait before the third."""

LEFT = "LeftToTheSweep"


def short_waits_only(definition: str, wait: str) -> str:
    """Return the state machine, changed so that it ends instead of entering its state `wait` (a
    Wait until the time at its `TimestampPath`) if that time is further off than `LONGEST_WAIT_S`.
    """
    machine: dict[str, Any] = json.loads(definition)
    states = machine["States"]
    guard = f"{wait}IfSoon"
    for state in list(states.values()):
        for way in (state, *state.get("Choices", ())):
            if way.get("Next") == wait:
                way["Next"] = guard
    when = states[wait]["TimestampPath"].removeprefix("$.")
    until = f"$toMillis($states.input.{when}) - $millis()"
    states[guard] = {
        "Type": "Choice",
        "QueryLanguage": "JSONata",
        "Choices": [{"Condition": f"{{% {until} > {LONGEST_WAIT_S * 1000} %}}", "Next": LEFT}],
        "Default": wait,
    }
    states[LEFT] = {"Type": "Succeed"}
    return json.dumps(machine)
