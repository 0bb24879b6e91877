from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.agent import Rest
from tests.support.engine import ROOT
from tests.support.running import Live, Process


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One stack for all tests that only use it."""
    process = Process(tmp_path_factory.mktemp("stack") / "state")
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


NEW_ACCOUNT = """
from local.credentials import Credentials
from local.layout import Layout
from local.seed import first_account
from local.stack import application_ports
layout = Layout.from_environment()
print(first_account(application_ports(layout, Credentials.load(layout.state_dir))))
"""


@pytest.fixture(scope="session")
def stranger(running):
    """Another account of the same stack, as an operator would make it; it holds one number."""
    made = subprocess.run(
        [sys.executable, "-c", NEW_ACCOUNT],
        cwd=ROOT, env=running.env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    stack = json.loads((running.state_dir / "stack.json").read_text())
    key = made.stdout.split()[-1]
    number = Rest(stack["api_url"], key).now("GET", "/api/numbers")["numbers"][0]["e164"]
    return Live({**stack, "api_key": key, "numbers": [number]})


@pytest.fixture(scope="session")
def unanswered(running, stranger):
    """A call that nobody takes (so to another account); it rings while the other tests run."""
    number = stranger.number
    command = [sys.executable, "-m", "gateway.caller", "--to", number, "--json"]
    command += ["--stack", str(running.state_dir / "stack.json")]
    caller = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not stranger.rest.now("GET", "/api/calls")["calls"]:
        assert caller.poll() is None
    yield stranger, caller
    caller.kill()


@pytest.fixture
def live(running, unanswered):
    """The running stack."""
    live = Live(json.loads((running.state_dir / "stack.json").read_text()))
    live.state_dir = running.state_dir
    return live
