"""Tests that the README's first page and the quickstart work as printed on a fresh clone, in a path
with a blank, without root's powers.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.softphone import wav
from local import listening
from local.ports import free_port_base
from tests.integration.test_examples import heard_at_8000
from tests.support.clips import AUDIO, samples
from tests.support.engine import ROOT

pytestmark = pytest.mark.deep

SET_UP_WITHIN_S = 300
WITHIN_S = 90
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Root without any power is a user like others, who may still read what is root's: the Python that
runs these tests may be."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Return a page's shell blocks, each with the heading that it stands under."""
    found = []
    for part in re.split(r"^## ", (ROOT / page).read_text(), flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        found += [(heading, code) for code in re.findall(r"```sh\n(.*?)```", part, re.DOTALL)]
    return found


README, QUICKSTART = blocks("README.md"), blocks("docs/quickstart.md")
ELSEWHERE = {"From Claude", "Call real numbers"}
"""Parts of the quickstart that need a program or an account of somebody else."""


def under(heading: str) -> list[str]:
    """Return the README's blocks under a heading."""
    return [code for name, code in README if name == heading]


AS_IN_A_TERMINAL = ["env", "--default-signal=INT"]
"""A shell script's `&`, by which these tests may be started, has Ctrl-C's signal ignored."""


class Terminal:
    """Shells in the clone's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # As in a login: nothing of the environment of these tests' own Python.
        kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        self.env = kept | {"CHAMADE_PORT_BASE": str(free_port_base())}

    def run(self, script: str) -> str:
        """Run a script to its end; return what it printed."""
        done = subprocess.run(
            [*POWERLESS, "bash", "-uo", "pipefail", "-c", script], cwd=self.folder, env=self.env,
            check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S,
        )  # fmt: skip
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    @contextmanager
    def running(self, script: str, ready: str, within_s: float) -> Iterator[Path]:
        """Run a script until the end of the block, stop it as Ctrl-C does; yield the file with what
        it prints once that has the text `ready`."""
        log = self.folder.parent / f"{ready}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*AS_IN_A_TERMINAL, *POWERLESS, "bash", "-c", f"exec {script}"], cwd=self.folder,
                env=self.env | {"PYTHONUNBUFFERED": "1"},
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + within_s
        try:
            while ready not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield log
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)
        assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Copy what is under version control, or will be, and run `make run` there."""
    folder = tmp_path_factory.mktemp("first hour") / "chamade sip"
    folder.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    terminal = Terminal(folder)
    (make_run,) = under("Run it")
    with terminal.running(make_run, "ready in", SET_UP_WITHIN_S):
        yield terminal


def test_the_first_page_works_as_printed(terminal):
    machine, caller, *_ = under("Call it")
    with terminal.running(machine, "waiting", WITHIN_S):
        assert "completed" in terminal.run(caller)
    heard = heard_at_8000(terminal.folder / "heard.wav")
    # The caller talks over the greeting, which is therefore cut off: what follows is whole.
    assert listening.find(samples(wav.read(AUDIO / "goodbye.wav")), heard).heard
    (message,) = (terminal.folder / "messages").glob("*.wav")
    spoken = samples(wav.read(AUDIO / "caller.wav"))
    assert listening.find(spoken, samples(wav.read(message))).heard


def test_the_calls_by_hand_work_as_printed(terminal):
    (by_hand,) = under("By hand")
    printed = terminal.run(by_hand)
    assert '"state":"active"' in printed
    assert '"status": "completed"' in printed
    assert "urn:chamade:problem" not in printed


def test_the_quickstart_works_as_printed_in_one_terminal(terminal):
    script = "\n".join(code for heading, code in QUICKSTART[1:] if heading not in ELSEWHERE)
    printed = terminal.run(script)
    for said in ("answered", "completed by caller", "\tringing\t", "completed by far_end"):
        assert said in printed, printed
    assert "urn:chamade:problem" not in printed
