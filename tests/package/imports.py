"""Imports all modules of an unpacked package, in a process that finds no other ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("everything.py")


def check_imports(folder: Path) -> None:
    """Import everything that the application may ever import; AssertionError if a module is
    missing in `folder` or comes from elsewhere."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), str(folder)],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
