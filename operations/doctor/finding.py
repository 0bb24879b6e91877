"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How it is. Only `FAIL` makes the doctor's exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was seen and, unless it is well, the remedy."""

    name: str
    result: Result
    seen: str
    remedy: str = ""


def ok(name: str, seen: str) -> Finding:
    """It is as it should be."""
    return Finding(name, Result.OK, seen)


def warn(name: str, seen: str, remedy: str) -> Finding:
    """It works, and will not for ever."""
    return Finding(name, Result.WARN, seen, remedy)


def fail(name: str, seen: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(name, Result.FAIL, seen, remedy)


def skipped(name: str, why: str) -> Finding:
    """There is nothing to be looked at here."""
    return Finding(name, Result.SKIPPED, why)
