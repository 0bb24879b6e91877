"""Tests of the copy of the application that Chalice packages."""

from __future__ import annotations

import subprocess
import sys

from infra import package


def test_pip_keeps_to_the_constraints_of_a_project_whose_path_has_a_blank(tmp_path, monkeypatch):
    project = tmp_path / "with a blank"
    project.mkdir()
    monkeypatch.setattr(package, "STAGED", project / "app")
    monkeypatch.setattr(package, "CONSTRAINTS", project / "constraints.txt")
    package.CONSTRAINTS.write_text("pip<1\n")
    with package.staged("prod", {}):
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "pip"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "The user requested (constraint) pip<1" in done.stdout, done.stderr
