"""Runs the published conformance suite (`install.sh`) and reads what it found."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import ROOT

SUITE = ROOT / ".venv" / "conformance"
PROGRAM = SUITE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"

ERAS = {
    "2025-11-25": ("--spec-version", "2025-11-25", "--suite", "all"),
    "2026-07-28": ("--requirements", "2026-07-28"),
}
"""The suite's options for each revision of the protocol."""


@dataclass(frozen=True)
class Check:
    """One thing that the suite looked at. `why`: what it says of a failure."""

    scenario: str
    name: str
    status: str
    why: str

    @property
    def passed(self) -> bool:
        """INFO: it only tells something."""
        return self.status in ("SUCCESS", "INFO")


async def run(url: str, era: str, results: Path) -> list[Check]:
    """All checks of a revision against a server."""
    assert PROGRAM.exists(), "the conformance suite is not installed: make .venv/.conformance"
    process = await asyncio.create_subprocess_exec(
        SUITE / "node", PROGRAM, "server", "--url", url, *ERAS[era], "-o", results,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    checks = _found(results)
    assert checks, said.decode()
    return checks


def _found(results: Path) -> list[Check]:
    return [check for path in results.glob("*/checks.json") for check in _read(path)]


def _read(path: Path) -> list[Check]:
    named = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z", path.parent.name)
    assert named, path.parent.name
    return [
        Check(named[1], each["id"], each["status"], str(each.get("errorMessage") or ""))
        for each in json.loads(path.read_text())
    ]
