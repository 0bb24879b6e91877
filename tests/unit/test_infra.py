"""Tests of state machines, stream and table as files: they are valid and have what the code relies
on.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from chalicelib.domain.delivery import DeliveryState
from chalicelib.store import accounts, calls, deliveries, endpoints, lines
from tests.support.engine import ROOT

ASL = ROOT / "infra" / "ring_timeout.asl.json"
DELIVERY = ROOT / "infra" / "deliver_event.asl.json"
VALIDATOR = ROOT / ".venv" / "node" / "node_modules" / ".bin" / "asl-validator"


@pytest.mark.parametrize("asl", [ASL, DELIVERY], ids=lambda path: path.name)
def test_each_state_machine_is_valid_amazon_states_language(asl):
    assert VALIDATOR.exists(), "run `make test`: it installs the validator"
    done = subprocess.run(
        [VALIDATOR, "--json-path", asl], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_outcome_of_the_task_has_a_state():
    states = json.loads(ASL.read_text())["States"]
    choices = {c["StringEquals"]: c["Next"] for c in states["HowItEnded"]["Choices"]}
    assert choices == {"missed": "Missed", "answered": "Answered"}
    assert states["HowItEnded"]["Default"] == "Gone"


def test_the_state_machine_retries_the_errors_that_the_task_raises():
    retried = json.loads(ASL.read_text())["States"]["ExpireRing"]["Retry"][0]["ErrorEquals"]
    from chalicelib.services.call.call_control import StillRinging

    assert StillRinging.__name__ in retried


def test_a_delivery_that_is_pending_waits_for_its_next_try_and_no_other_does():
    states = json.loads(DELIVERY.read_text())["States"]
    choices = {c["StringEquals"]: c["Next"] for c in states["HowItStands"]["Choices"]}
    assert set(choices) <= set(DeliveryState)
    waits = {state for state, then in choices.items() if states[then]["Type"] == "Wait"}
    assert waits == {DeliveryState.PENDING}
    wait = states[choices[DeliveryState.PENDING]]
    assert (wait["TimestampPath"], wait["Next"]) == ("$.result.next_at", "Try")
    assert states[states["HowItStands"]["Default"]]["Type"] == "Succeed"


def test_the_stream_has_new_images_and_its_mapping_reports_failed_records():
    table = json.loads((ROOT / "infra" / "table.json").read_text())
    mapping = json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["MaximumRetryAttempts"] > 0


def test_vendor_links_to_the_common_package():
    """Chalice packages `chalicelib/` and `vendor/`; the domain uses `common/`."""
    assert (ROOT / "vendor" / "common").resolve() == ROOT / "common"


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
    assert indexes == {
        *(calls.LISTING, calls.LIVE, accounts.LISTING, lines.LISTING),
        *(deliveries.LISTING, deliveries.LIVE, endpoints.LIVE),
    }
