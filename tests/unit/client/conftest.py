from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.account import mint_key
from chamade.http.request import Reply, Send, Wait
from tests.unit.client.relay import fake_relay

KEY = mint_key()
CALL = {
    "call_id": "call_kqjtvrudv2eky6h5hflyw7sv2e", "version": 1, "state": "ringing",
    "direction": "inbound", "from": "+33612345678", "to": "+15555500103", "line": "+15555500103",
    "created_at": "2026-11-22T15:36:40.011Z", "updated_at": "2026-11-22T15:36:40.011Z",
    "ring_deadline": "2026-11-22T15:37:40.011Z", "auto_answer": False, "metadata": {"a": 1},
    "history": [{"version": 1, "state": "ringing", "at": "2026-11-22T15:36:40.011Z"}],
}  # fmt: skip


def reply(status: int = 200, shown: Any = None, **headers: str) -> Reply:
    body = b"" if shown is None else json.dumps(shown).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def problem(status: int, code: str, **members: Any) -> Reply:
    headers = {"retry_after": str(members.pop("wait"))} if "wait" in members else {}
    return reply(status, {"code": code, "status": status, **members}, **headers)


class Played:
    """Plays a flow against answers that are known beforehand."""

    def __init__(self, flow, *answers) -> None:
        self.sent: list[Send] = []
        self.waited: list[float] = []
        self.left = list(answers)
        self._flow = flow

    def result(self):
        """Run the flow; return its result."""
        outcome = None
        try:
            step = next(self._flow)
            while True:
                if isinstance(step, Wait):
                    self.waited.append(step.seconds)
                    outcome = None
                else:
                    self.sent.append(step)
                    outcome = self.left.pop(0)
                step = self._flow.send(outcome)
        except StopIteration as done:
            return done.value


@pytest.fixture
def play():
    return Played


@pytest.fixture
async def relay():
    async with fake_relay() as relay:
        yield relay
