"""Tests that the client imports nothing of the system that it talks to."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import chamade

PACKAGE = Path(chamade.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
OPTIONAL = {"click", "rich", "sounddevice"}


def imported(path: Path) -> set[str]:
    """The packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_client_imports_only_its_declared_dependencies():
    declared = {re.match(r"\w+", one)[0] for one in PROJECT["project"]["dependencies"]}
    for path in PACKAGE.rglob("*.py"):
        allowed = declared | {"chamade"}
        if path.parent.name == "cli" or path.name == "__main__.py":
            allowed = allowed | OPTIONAL
        assert imported(path) - set(sys.stdlib_module_names) <= allowed, path


def test_every_package_of_the_client_is_installed():
    there = {
        ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for path in PACKAGE.rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == there
    assert (PACKAGE / "py.typed").exists()


def test_the_command_line_without_its_extra_names_the_missing_package():
    code = (
        "import sys; sys.modules['click'] = None; "
        "from chamade import Client; from chamade.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=PACKAGE.parent,
    )  # fmt: skip
    assert done.returncode == 1
    assert "chamade[cli]" in done.stderr
