"""What Chalice packages: a copy of the application under `.local`, since Chalice writes into the
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
    """The application's folder as Chalice wants it, while Chalice packages it: `functions` are the
    settings of each function, `stage` the name under which Chalice looks for them.

    Whoever comes meanwhile waits. What Chalice writes to the working directory goes beside it.
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
        # vendor/ holds links to what lies beside the package: they become files here.
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
    # Every version as constraints.txt pins it.
    os.environ["PIP_CONSTRAINT"] = str(CONSTRAINTS)
    # Chalice asks botocore for a region; the template does not depend on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # It imports the application to see its routes, and would package what that leaves behind.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
