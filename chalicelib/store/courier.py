"""Who carries deliveries: Step Functions, one Standard execution a delivery and run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chalicelib.domain.delivery import Delivery

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Courier:
    """Starts the state machine of `infra/deliver_event.asl.json`."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client, self._arn = client, state_machine_arn

    def send(self, delivery: Delivery) -> None:
        """Have the delivery tried from now on. Sending a run twice is sending it once."""
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
            # It is under way, or over: either way this run has had its execution.
            return
