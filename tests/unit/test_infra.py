"""The state machine and the table as files: valid, and what the code relies on is in them."""

from __future__ import annotations

import json
import subprocess

from chalicelib.store import accounts, calls, lines
from tests.support.engine import ROOT

ASL = ROOT / "infra" / "ring_timeout.asl.json"
VALIDATOR = ROOT / ".venv" / "node" / "node_modules" / ".bin" / "asl-validator"


def test_the_state_machine_is_valid_amazon_states_language():
    assert VALIDATOR.exists(), "run `make test`: it installs the validator"
    done = subprocess.run(
        [VALIDATOR, "--json-path", ASL], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_outcome_of_the_task_has_a_state():
    states = json.loads(ASL.read_text())["States"]
    choices = {c["StringEquals"]: c["Next"] for c in states["HowItEnded"]["Choices"]}
    assert choices == {"missed": "Missed", "answered": "Answered"}
    assert states["HowItEnded"]["Default"] == "Gone"


def test_the_state_machine_retries_what_the_task_raises():
    retried = json.loads(ASL.read_text())["States"]["ExpireRing"]["Retry"][0]["ErrorEquals"]
    from chalicelib.services.miss import StillRinging

    assert StillRinging.__name__ in retried


def test_the_table_has_the_indexes_that_the_stores_use():
    indexes = {
        (
            index["IndexName"],
            index["KeySchema"][0]["AttributeName"],
            index["KeySchema"][1]["AttributeName"],
        )
        for index in json.loads((ROOT / "infra" / "table.json").read_text())[
            "GlobalSecondaryIndexes"
        ]
    }
    assert indexes == {calls.LISTING, calls.LIVE, accounts.LISTING, lines.LISTING}
