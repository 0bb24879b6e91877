"""Tests of commands on an application in this process: limits of an account, and refusals of the
pool.
"""

from __future__ import annotations

import json

import pytest

from operations.admin import main
from operations.shell import Session


@pytest.fixture
def admin(world, monkeypatch, capsys):
    """Run a command; its exit code, and what it printed as JSON."""
    monkeypatch.setattr(Session, "deps", world.deps)

    def run(*command):
        code = main([*command, "--json"])
        output = capsys.readouterr()
        # Log lines are on standard output, too.
        lines = [line for line in output.out.splitlines() if '"logger"' not in line]
        return code, json.loads("\n".join(lines) or output.err)

    return run


def test_the_operator_sets_the_limits_of_calls_and_polls(admin, world):
    code, shown = admin(
        "account", "limit", world.account_id, "max_concurrent_calls=40", "max_waiting_polls=8"
    )
    assert code == 0
    assert (shown["max_concurrent_calls"], shown["max_waiting_polls"]) == (40, 8)
    for wrong, why in (("max_concurrent_calls=2001", "too high"), ("max_call_s=9", "too low")):
        code, output = admin("account", "limit", world.account_id, wrong)
        assert code == 2
        assert why in output["error"]


def test_a_number_of_a_trunk_is_refused_for_the_pool_with_its_owner(admin, world):
    world.new_trunk()
    world.new_did("+33199001111")
    code, output = admin("number", "add", "+33199001112", "+33199001111", "--country", "FR")
    assert code == 5
    assert world.account_id in output["error"]
    assert "1 were added" in output["error"]
    assert world.stores.lines.get("+33199001111") is None
