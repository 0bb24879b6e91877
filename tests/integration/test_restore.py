"""Tests that calls go on while the table is lost and restored under another name."""

from __future__ import annotations

import json

import pytest

from local import aws, environment
from local.stack import temporary_stack
from operations.admin import main as admin
from tests.support.rolling import hears_each_other, on, roll, spoken


@pytest.fixture
def stack(tmp_path):
    with temporary_stack(tmp_path / "state", lambda _: None) as stack:
        yield stack


@pytest.fixture
def command(stack, monkeypatch, capsys):
    """Runs a command of the operator's on the stack; what it says."""
    for name, value in environment.application(stack.layout, stack.credentials).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str):
        assert admin(["--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


async def test_calls_survive_the_loss_and_restore_of_the_table(
    stack, command, tmp_path, monkeypatch
):
    live, file = on(stack), tmp_path / "backup.jsonl"
    talking, gone = await live.answered(), await live.answered()
    backup = command("backup", str(file))
    assert backup["items"] == len(file.read_text().splitlines()) - 2
    assert live.stack["api_key"] not in file.read_text()

    # What happens after the backup is lost with the table; calls bear that there is none.
    gone.call.hangup()
    await gone.over()
    await live.rest.wait_for(gone.call_id, "ended")
    aws.client(stack.layout, "dynamodb").delete_table(TableName="chamade")
    await talking.call.wait_frames(len(talking.call.received) + 100)

    restored = command("restore", "--table", "restored", str(file))
    assert restored == {"items": backup["items"], "table": "restored"}
    await roll(stack, "api", CHAMADE_TABLE="restored")
    assert (await live.rest("GET", f"/api/call/{gone.call_id}"))["state"] == "active"
    monkeypatch.setenv("CHAMADE_TABLE", "restored")
    assert command("sweep") == {"failed": 1, "alone": 1}
    over = await live.rest("GET", f"/api/call/{gone.call_id}")
    assert (over["state"], over["end_reason"]) == ("failed", "provider_error")

    await roll(stack, "relay")
    await hears_each_other(talking)
    talking.call.hangup()
    over = await live.rest.wait_for(talking.call_id, "ended")
    assert over["end_reason"] == "caller_hangup"
    fresh = await live.answered(spoken())
    fresh.call.hangup()
    await fresh.over()
    types = [each["type"] for each in (await live.rest("GET", "/api/events"))["events"]]
    assert types[-1] == "call.ended"
