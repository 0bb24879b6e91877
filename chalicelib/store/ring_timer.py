"""The 60 s deadline in Step Functions: one Standard execution a ringing call, named after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chalicelib.domain.call import Call
from chalicelib.domain.instant import to_text

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class RingTimer:
    """Starts the state machine of `infra/ring_timeout.asl.json`."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client, self._arn = client, state_machine_arn

    def start(self, call: Call) -> None:
        """Let the deadline of a ringing call be enforced. Starting it twice is starting it once."""
        self._start(call, call.call_id)

    def ensure(self, call: Call, now: int) -> bool:
        """Start it anew if its execution is lost (or never was). True if it had to be."""
        if self._running(call.call_id):
            return False
        # Names are unique for 90 days, a lost execution keeps its own.
        self._start(call, f"{call.call_id}-again-{now}")
        return True

    def _start(self, call: Call, name: str) -> None:
        given = {"call_id": call.call_id, "ring_deadline": to_text(call.ring_deadline)}
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(given)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # AWS answers so only for another input; ministack for the same, too. Both are fine.
            return

    def _running(self, name: str) -> bool:
        arn = self._arn.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            status = self._client.describe_execution(executionArn=arn)["status"]
        except self._client.exceptions.ExecutionDoesNotExist:
            return False
        return status == "RUNNING"
