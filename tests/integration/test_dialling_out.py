"""Tests of the carrier of `make run`: the commands that are printed for a newcomer, as printed, and
the client's examples."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from gateway.softphone import wav
from local import listening
from local.layout import ABROAD, DID
from tests.integration.test_examples import heard_at_8000
from tests.support.clips import AUDIO, samples
from tests.support.engine import ROOT


def blocks(page: str, kind: str = "sh") -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def between(page: str, first: str, last: str) -> str:
    """The page's commands from the block that has `first` to the one that has `last`."""
    found = blocks(page)
    (start,) = (at for at, block in enumerate(found) if first in block)
    (end,) = (at for at, block in enumerate(found) if last in block)
    return "".join(found[start : end + 1])


README = between("README.md", "trunk connect 127", "trunk connect 127")
QUICKSTART = ". .local/env\n" + between("docs/quickstart.md", "trunk connect 127", "callee")
PHONE = f"python -m gateway.callee --number {ABROAD} --hangup-after 12 & callee=$!\nsleep 2\n"


def shell(running, folder, script: str) -> str:
    """Run commands of a page against this stack, their recordings in `folder`."""
    stack = f"--stack {running.state_dir}/stack.json"
    for program in ("gateway.callee", "gateway.caller"):
        script = re.sub(rf"{program} (?!--stack)", f"{program} {stack} ", script)
    script = script.replace(" .local/", f" {running.state_dir}/").replace("PATH=$PWD", "PATH=.")
    script = re.sub(r"\b(heard|said)\.wav", rf"{folder}/\1.wav", script)
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", f"PATH=.venv/bin:$PATH\n{script}\nwait"],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},  # this checkout's `chamade`
    )  # fmt: skip
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "Traceback" not in printed
    return printed


def share(clip: str, recording) -> float:
    """Return the share of a clip that is in a recording."""
    played = samples(wav.read(AUDIO / f"{clip}.wav"))
    return listening.follow(played, heard_at_8000(recording)).share


@pytest.fixture
def no_trunk(live):
    yield
    live.rest.now("DELETE", "/api/trunk")


@pytest.mark.usefixtures("no_trunk")
def test_the_commands_that_make_run_prints_dial_out(live, running, tmp_path):
    printed = running.read_output().partition("to dial out")[2].splitlines()[1:]
    commands = "\n".join(line for line in printed if line.startswith("  "))
    assert "gateway.callee --stack" in commands
    printed = shell(running, tmp_path, commands)
    assert f"{DID} is calling" in printed
    assert "completed by far_end" in printed
    assert share("greeting", tmp_path / "heard.wav") > 0.7
    newest = live.rest.now("GET", "/api/calls?limit=1")["calls"][0]
    assert (newest["to"], newest["end_reason"]) == (ABROAD, "agent_hangup")


@pytest.mark.deep
@pytest.mark.usefixtures("no_trunk", "live")
@pytest.mark.parametrize(
    "commands",
    [README, QUICKSTART], ids=["README", "quickstart"],
)  # fmt: skip
def test_a_call_is_dialled_as_printed_and_both_ends_hear_each_other(running, tmp_path, commands):
    printed = shell(running, tmp_path, commands)
    assert "registered" in printed
    assert "completed by far_end" in printed
    assert share("greeting", tmp_path / "heard.wav") > 0.7
    # `chamade` begins to hear when it is on the line, and hangs up when it has said all.
    assert share("caller", tmp_path / "said.wav") > 0.4


@pytest.mark.usefixtures("no_trunk", "live")
def test_the_trunks_number_is_called_as_printed(running, tmp_path):
    (call,) = (block for block in blocks("docs/quickstart.md") if "--carrier" in block)
    connect = between("docs/quickstart.md", "trunk connect 127", "trunk connect 127")
    printed = shell(running, tmp_path, f". .local/env\n{connect}\n{call}".replace("\nwait", ""))
    assert "completed by caller" in printed
    assert share("caller", tmp_path / "heard.wav") > 0.4


@pytest.mark.deep
@pytest.mark.usefixtures("no_trunk")
def test_the_clients_examples_say_what_a_call_is_as_printed(live, running, tmp_path):
    connect = between("docs/quickstart.md", "trunk connect 127", "trunk connect 127")
    dialled, served, *_ = blocks("docs/client.md", "python")
    (tmp_path / "dialled.py").write_text(dialled)
    (tmp_path / "served.py").write_text(served)
    python = sys.executable
    printed = shell(
        running, tmp_path,
        f". .local/env\n{connect}\n{PHONE}{python} {tmp_path}/dialled.py\nwait $callee\n"
        f"{python} {tmp_path}/served.py & serve=$!\nsleep 2\n"
        "python -m gateway.caller --to $CHAMADE_NUMBER --from +33612345678\n"
        "kill $serve; wait $serve || true",
    )  # fmt: skip
    assert re.search(rf"call_\w+ connecting \{DID} {{'order': 7}}\n(.*\n)*agent_hangup", printed)
    number = re.escape(live.number)
    assert re.search(rf"call_\w+ \+33612345678 called {number} {{}}", printed)


@pytest.mark.deep
@pytest.mark.usefixtures("no_trunk", "live")
def test_the_example_that_dials_says_back_what_the_phone_says(running, tmp_path):
    connect = between("docs/quickstart.md", "trunk connect 127", "trunk connect 127")
    phone = f"python -m gateway.callee --number {ABROAD} --audio {tmp_path}/spoken.wav"
    question = wav.read(AUDIO / "caller.wav")[:24000]
    silence = bytes([0xFF]) * 8 * 9000  # the greeting comes first
    wav.write(tmp_path / "spoken.wav", silence + question)
    printed = shell(
        running, tmp_path,
        f". .local/env\n{connect}\n{phone} --record heard.wav --hangup-after 14 &\nsleep 2\n"
        f"{sys.executable} examples/dial.py {ABROAD}",
    )  # fmt: skip
    assert "callee_hangup" in printed
    assert share("greeting", tmp_path / "heard.wav") > 0.7
    echoed = heard_at_8000(tmp_path / "heard.wav")
    assert listening.follow(samples(question), echoed).share > 0.4
