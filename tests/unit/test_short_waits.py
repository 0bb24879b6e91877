"""Tests of long waits of deliveries on the local engine: a short one is kept, a long one is left to
the sweep.
"""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.delivery import GAPS_S, JITTER
from local.short_waits import LONGEST_WAIT_S, short_waits_only
from tests.support.engine import ROOT, client

DEFINITION = (ROOT / "infra" / "deliver_event.asl.json").read_text()
VALIDATOR = ROOT / ".venv" / "node" / "node_modules" / ".bin" / "asl-validator"


@pytest.fixture(scope="module")
def ran(engine):
    """Runs an execution from where a try has ended; the states that it came through."""
    machine = json.loads(short_waits_only(DEFINITION, "UntilTheNextTry"))
    machine["StartAt"], machine["States"]["Try"] = "HowItStands", {"Type": "Succeed"}
    executions = client(engine, "stepfunctions")
    arn = executions.create_state_machine(
        name="short-waits", definition=json.dumps(machine), roleArn="arn:aws:iam::1:role/x"
    )["stateMachineArn"]

    def run(state, in_s):
        at = datetime.now(UTC) + timedelta(seconds=in_s)
        result = {"state": state, "next_at": at.isoformat(timespec="milliseconds")}
        made = executions.start_execution(
            stateMachineArn=arn, input=json.dumps({"result": {**result}})
        )["executionArn"]
        deadline = time.monotonic() + 10
        while executions.describe_execution(executionArn=made)["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        history = executions.get_execution_history(executionArn=made)["events"]
        entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in history]
        return [name for name in entered if name]

    return run


def test_a_short_wait_is_kept_in_the_execution(ran):
    began = time.monotonic()
    assert ran("pending", 1.2)[-2:] == ["UntilTheNextTry", "Try"]
    assert time.monotonic() - began > 1


def test_a_long_wait_ends_the_execution(ran):
    assert ran("pending", LONGEST_WAIT_S + 5)[-1] == "LeftToTheSweep"


def test_a_finished_delivery_ends_the_execution(ran):
    assert ran("delivered", 0) == ["HowItStands", "Delivered"]


def test_only_the_first_gap_is_short_enough_to_wait_for():
    assert GAPS_S[0] * (1 + JITTER) < LONGEST_WAIT_S < GAPS_S[1]


def test_the_changed_state_machine_is_valid_and_otherwise_the_same(tmp_path):
    made = short_waits_only(DEFINITION, "UntilTheNextTry")
    before, after = json.loads(DEFINITION)["States"], json.loads(made)["States"]
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"HowItStands", "UntilTheNextTryIfSoon", "LeftToTheSweep"}
    file = tmp_path / "machine.json"
    file.write_text(made)
    done = subprocess.run(
        [VALIDATOR, "--json-path", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
