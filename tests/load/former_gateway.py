"""Prepares the gateway as it was before decision 12, for comparison: its code from git's history,
and an environment of its own with its SIP library.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local.layout import ROOT

COMMIT = "3c6ecc1"
"""The last commit whose gateway has SIP in child processes."""
CHILDREN = 2
_PARTS = ("gateway", "common", "runtime")
_WITHIN_S = 300.0


class CannotBuild(Exception):
    """The former gateway cannot be had on this machine; the message says why."""


class Former(NamedTuple):
    """A checkout, and the Python that can run it."""

    folder: Path
    python: Path


def environment(work: Path) -> Path:
    """Return the Python of the environment; it is made once. Raises CannotBuild."""
    wanted = _git("show", f"{COMMIT}:gateway/requirements.txt")
    folder = work / "former-gateway"
    python, made_of = folder / "bin" / "python", folder / "requirements.txt"
    if made_of.is_file() and made_of.read_bytes() == wanted:
        return python
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    listed = folder / "wanted.txt"
    listed.write_bytes(wanted)
    _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(listed))
    listed.rename(made_of)  # last: now it is whole
    return python


@contextmanager
def former_gateway(work: Path) -> Iterator[Former]:
    """Check out the former gateway meanwhile. Raises CannotBuild."""
    python = environment(work)
    with code_of(COMMIT, _PARTS) as folder:
        yield Former(folder, python)


@contextmanager
def code_of(commit: str, parts: Sequence[str]) -> Iterator[Path]:
    """The folder with these folders of a commit, meanwhile. Raises CannotBuild."""
    packed = io.BytesIO(_git("archive", commit, *parts))
    with tempfile.TemporaryDirectory(prefix="former-") as name:
        with tarfile.open(fileobj=packed) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


def _git(*arguments: str) -> bytes:
    return _run("git", "-C", str(ROOT), *arguments)


def _run(*command: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(str(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        raise CannotBuild(f"{Path(command[0]).name}: {said[-1][:160]}")
    return done.stdout
