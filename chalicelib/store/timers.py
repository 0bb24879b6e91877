"""Step Functions: the 60 s deadline of a call, and the tries of a delivery.

Each is one Standard execution, named after the ringing call, or after the delivery and its run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chalicelib.domain.call import Call
from chalicelib.domain.instant import to_text

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


from typing import TYPE_CHECKING

from chalicelib.domain.delivery import Delivery

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class RingTimer:
    """Starts the state machine of `infra/ring_timeout.asl.json`."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client, self._arn = client, state_machine_arn

    def start(self, call: Call) -> None:
        """Start the timer that enforces a call's ring deadline. A second start does nothing."""
        self._start(call, call.call_id)

    def ensure(self, call: Call, now: int) -> bool:
        """Start the timer again if its execution is lost or was never started; return whether it
        was.
        """
        if self._running(call.call_id):
            return False
        # A name cannot be used again for 90 days, not even that of a lost execution.
        self._start(call, f"{call.call_id}-again-{now}")
        return True

    def _start(self, call: Call, name: str) -> None:
        given = {"call_id": call.call_id, "ring_deadline": to_text(call.ring_deadline)}
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(given)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # AWS raises this only for another input, ministack for the same input as well.
            return

    def _running(self, name: str) -> bool:
        arn = self._arn.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            status = self._client.describe_execution(executionArn=arn)["status"]
        except self._client.exceptions.ExecutionDoesNotExist:
            return False
        return status == "RUNNING"


class DeliveryScheduler:
    """Starts the state machine of `infra/deliver_event.asl.json`."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client, self._arn = client, state_machine_arn

    def send(self, delivery: Delivery) -> None:
        """Start the execution of the delivery's present run. A second call for the same run does
        nothing.
        """
        given = {
            "account_id": delivery.account_id,
            "endpoint_id": delivery.endpoint_id,
            "delivery_id": delivery.delivery_id,
            "run": delivery.run,
        }
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=f"{delivery.delivery_id}-{delivery.run}",
                input=json.dumps(given),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # The execution of this run is under way, or over.
            return
