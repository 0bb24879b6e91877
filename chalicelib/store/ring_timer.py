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

    def start(self, call: Call, name_suffix: str = "") -> None:
        """Let the deadline of a ringing call be enforced. Starting it twice is starting it once.

        `name_suffix` tells a timer that replaces a lost one from the lost one: names are unique
        for 90 days.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=call.call_id + name_suffix,
                input=json.dumps(
                    {"call_id": call.call_id, "ring_deadline": to_text(call.ring_deadline)}
                ),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            # AWS answers so only for another input; ministack for the same, too. Both are fine.
            return
