"""What Chalice packages: a copy of the application under `.local`, since Chalice writes into the
folder that it packages, and reads each function's settings from a file there.

The copy stays: unless the code or a requirement changed, Chalice takes the zip it made before.
"""

from __future__ import annotations

import contextlib
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

_NEVER = shutil.ignore_patterns("__pycache__", "*.pyc")


def staged(stage: str, functions: Mapping[str, Mapping[str, Any]]) -> Path:
    """The application's folder as Chalice wants it: `functions` are the settings of each function,
    `stage` the name under which Chalice looks for them.
    """
    for folder in ("chalicelib", "vendor"):
        shutil.rmtree(STAGED / folder, ignore_errors=True)
        # vendor/ holds links to what lies beside the package: they become files here.
        shutil.copytree(ROOT / folder, STAGED / folder, ignore=_NEVER)
    shutil.copy(ROOT / "app.py", STAGED / "app.py")
    # Chalice names its zips after a hash that includes this file; a version that is pinned
    # elsewhere must change it as well.
    pinned = hashlib.sha256((ROOT / "constraints.txt").read_bytes()).hexdigest()
    requirements = (ROOT / "requirements.txt").read_text()
    (STAGED / "requirements.txt").write_text(f"{requirements}# constraints.txt: {pinned}\n")
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    config["stages"] = {
        stage: {
            **config["stages"]["dev"],
            "lambda_functions": {k: dict(v) for k, v in functions.items()},
        }
    }
    (STAGED / ".chalice").mkdir(exist_ok=True)
    (STAGED / ".chalice" / "config.json").write_text(json.dumps(config, indent=2))
    return STAGED


@contextlib.contextmanager
def packaging() -> Iterator[None]:
    """While Chalice packages: every version as constraints.txt pins it, and what Chalice writes to
    the working directory goes beside the copy.
    """
    before, constraint = Path.cwd(), os.environ.get("PIP_CONSTRAINT")
    os.environ["PIP_CONSTRAINT"] = str(ROOT / "constraints.txt")
    shutil.rmtree(STAGED.parent / "chalice.out", ignore_errors=True)
    os.chdir(STAGED.parent)
    # Chalice imports the application to see its routes, and would package what that leaves behind.
    sys.dont_write_bytecode = True
    # Chalice asks botocore for a region; the template does not depend on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    try:
        yield
    finally:
        os.chdir(before)
        if constraint is None:
            del os.environ["PIP_CONSTRAINT"]
        else:
            os.environ["PIP_CONSTRAINT"] = constraint
