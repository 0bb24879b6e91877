from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from chamade import AsyncClient, Client
from tests.support.engine import ROOT
from tests.support.running import Live, stack_up

NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One stack for all tests that only use it."""
    with stack_up(tmp_path_factory.mktemp("stack")) as process:
        yield process


@pytest.fixture(scope="session")
def stranger(running):
    """Another account of the same stack, as an operator would make it; it holds one number."""
    return Live.newcomer(running)


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
    live = Live(running.read_stack_file())
    live.state_dir = running.state_dir
    return live


@pytest.fixture
def client(live):
    with Client(live.stack["api_url"], live.stack["api_key"]) as client:
        yield client


@pytest.fixture
async def aclient(live):
    async with AsyncClient(live.stack["api_url"], live.stack["api_key"]) as client:
        yield client


@pytest.fixture
async def line(live):
    """A number that nobody else's tests call."""
    number = (await live.rest("POST", "/api/number"))["e164"]
    yield number
    await live.rest("DELETE", f"/api/number/{number}")


@pytest.fixture
def node_agent(tmp_path):
    """The example for Node.js, copied to where its package is: an ES module looks for packages only
    in its own folder and those above it.
    """
    assert (NODE_MODULES / "ws").exists(), "make .venv/.node"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return shutil.copy(ROOT / "examples" / "echo.mjs", tmp_path)
