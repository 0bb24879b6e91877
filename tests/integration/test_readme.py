"""What the README prints, run as printed."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.engine import ROOT

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
BY_HAND = [block for block in BLOCKS if "curl" in block]


def test_the_readme_shows_how_to_use_it_by_hand():
    assert BY_HAND
    assert any("make run" in block for block in BLOCKS)
    assert any("make test" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BY_HAND)
def test_the_readmes_curl_lines_work_as_printed(running, live, block):
    script = block.replace(".local/", f"{running.state_dir}/")
    script = script.replace(
        "gateway.caller ", f"gateway.caller --stack {running.state_dir}/stack.json "
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"state":"active"' in done.stdout
    assert '"state":"ended"' in done.stdout
    assert '"status": "completed"' in done.stdout
    assert "urn:chamade:problem" not in done.stdout
