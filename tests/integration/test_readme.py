"""Tests that run the commands of the README as printed."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.engine import ROOT

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
BY_HAND = [block for block in BLOCKS if "curl" in block and "gateway.caller" in block]
TRUNK = [block for block in BLOCKS if "/api/trunk" in block]


def test_the_readme_has_commands_to_run_by_hand():
    assert BY_HAND
    assert any("make run" in block for block in BLOCKS)
    assert any("make test" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BY_HAND)
def test_the_readmes_curl_lines_work_as_printed(running, live, block):
    printed = shell(running, block)
    assert '"state":"active"' in printed
    assert '"state":"ended"' in printed
    assert '"status": "completed"' in printed
    assert "urn:chamade:problem" not in printed


@pytest.mark.parametrize("block", TRUNK)
def test_the_readmes_trunk_lines_work_as_printed(running, live, block):
    """As far as an example host can: the trunk is connected, its number added, the call refused
    because nobody by that name answers."""
    api = next(line for line in BY_HAND[0].splitlines() if line.startswith("api()"))
    printed = shell(running, f". .local/env\n{api}\n{block}")
    assert printed.count('"trunk_id"') >= 2
    assert "trunk_not_registered" in printed
    assert '"invalid"' not in printed
    live.rest.now("DELETE", "/api/trunk")


def shell(running, script: str) -> str:
    script = script.replace(".local/", f"{running.state_dir}/")
    script = script.replace(
        "gateway.caller ", f"gateway.caller --stack {running.state_dir}/stack.json "
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
