"""Copy the application for Chalice to package, under `.local`, since Chalice writes into the
folder that it packages, and reads each function's settings from a file there.

The copy stays: unless the code or a requirement changed, Chalice takes the zip it made before.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STAGED = ROOT / ".local" / "package" / "app"
CONSTRAINTS = ROOT / "constraints.txt"

_NEVER = shutil.ignore_patterns("__pycache__", "*.pyc")


@contextlib.contextmanager
def staged(stage: str, functions: Mapping[str, Mapping[str, Any]]) -> Iterator[Path]:
    """Yield a copy of the application in the form that Chalice packages: `functions` are the
    settings of each function, `stage` the name under which Chalice looks for them.

    A lock makes other processes wait until the block ends. The working directory is the copy's
    parent meanwhile, since Chalice writes files there.
    """
    STAGED.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    with (STAGED.parent / "lock").open("w") as lock, _environment():
        fcntl.flock(lock, fcntl.LOCK_EX)
        _copy()
        _configure(stage, functions)
        shutil.rmtree(STAGED.parent / "chalice.out", ignore_errors=True)
        os.chdir(STAGED.parent)
        try:
            yield STAGED
        finally:
            os.chdir(before)


def _copy() -> None:
    for folder in ("chalicelib", "vendor"):
        shutil.rmtree(STAGED / folder, ignore_errors=True)
        # vendor/ holds links to folders beside the package: they become files here.
        shutil.copytree(ROOT / folder, STAGED / folder, ignore=_NEVER)
    shutil.copy(ROOT / "app.py", STAGED / "app.py")
    # Chalice names its zips after a hash that includes this file; a version that is pinned
    # elsewhere must change it as well.
    pinned = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
    requirements = (ROOT / "requirements.txt").read_text()
    (STAGED / "requirements.txt").write_text(f"{requirements}# constraints.txt: {pinned}\n")


def _configure(stage: str, functions: Mapping[str, Mapping[str, Any]]) -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    each = {name: dict(settings) for name, settings in functions.items()}
    config["stages"] = {stage: {**config["stages"]["dev"], "lambda_functions": each}}
    (STAGED / ".chalice").mkdir(exist_ok=True)
    (STAGED / ".chalice" / "config.json").write_text(json.dumps(config, indent=2))


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    # Use exactly the versions that constraints.txt pins. A URL, since pip splits the variable at
    # blanks.
    os.environ["PIP_CONSTRAINT"] = CONSTRAINTS.as_uri()
    # Chalice asks botocore for a region; the template does not depend on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # Chalice imports the application to find its routes, and would package the bytecode that the
    # import writes.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
