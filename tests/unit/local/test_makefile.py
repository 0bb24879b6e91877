"""Tests of what make does: what `make run` needs, and where the CDK writes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time

import pytest

from tests.support.engine import ROOT

INPUTS = (
    "Makefile", "constraints.txt", "client/pyproject.toml", "requirements.txt",
    "relay/requirements.txt", "gateway/requirements.txt", "voice/requirements.txt",
    "local/requirements.txt", "relay/kernel/chamade_kernel.c", "relay/kernel/pyproject.toml",
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    """The files that `make run` depends on, in a folder of their own."""
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def commands(folder, target: str = "run") -> list[str]:
    """Return the commands that make would run there."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(
        ["make", "-n", target], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return made.stdout.splitlines()


def test_a_first_run_sets_up_python_packages_and_asks_for_no_node(checkout):
    text = "\n".join(commands(checkout))
    assert "-m venv .venv" in text
    assert "pip install" in text
    assert "npm" not in text
    assert "node" not in text


def test_a_later_run_installs_nothing_and_so_works_offline(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    for done in (".kernel", ".stack"):
        (checkout / ".venv" / done).touch()
    python = checkout / ".venv" / "bin" / "python"
    for later in (python, python.with_name("pip")):
        later.touch()  # upgraded after the set-up
    (command,) = commands(checkout)
    assert command.endswith(".venv/bin/python -m local")


@pytest.mark.parametrize("target", ["bootstrap", "deploy", "destroy"])
def test_the_cdk_writes_into_a_project_whose_path_has_a_blank(tmp_path, target):
    project = tmp_path / "with a blank"
    (project / "infra").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "constraints.txt", "infra/requirements.txt"):
        shutil.copy(ROOT / name, project / name)
    words = shlex.split(commands(project, target)[-1])
    assert words[words.index("--output") + 1] == f"{project}/.local/deploy"


def set_up(folder) -> list[str]:
    """Have make bring `.venv/.stack` up to date there; return what pip was asked for."""
    asked = folder / "asked"
    asked.unlink(missing_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", ".venv/.stack"], cwd=folder, env=env, check=True, capture_output=True)
    return asked.read_text().splitlines() if asked.exists() else []


def test_packages_are_fetched_again_only_if_what_names_them_has_changed(checkout):
    pip = checkout / ".venv" / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@" >> asked\n')
    pip.chmod(0o755)
    (asked,) = set_up(checkout)
    assert "-r local/requirements.txt" in asked
    later = time.time() + 10
    os.utime(checkout / "constraints.txt", (later, later))  # as after a change of branches
    assert set_up(checkout) == []
    with (checkout / "constraints.txt").open("a") as changed:
        changed.write("# another\n")
    os.utime(checkout / "constraints.txt", (later + 10, later + 10))
    assert len(set_up(checkout)) == 1
    pip.write_text("#!/bin/sh\nexit 1\n")  # a set-up that failed is tried again
    os.utime(checkout / "constraints.txt", (later + 20, later + 20))
    with (checkout / "constraints.txt").open("a") as changed:
        changed.write("# and another\n")
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError):
            set_up(checkout)
