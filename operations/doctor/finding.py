"""Findings: the results of checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The result of a check. Only `FAIL` makes the doctor's exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """A finding about one thing: what was seen and, if something is wrong, the remedy."""

    name: str
    result: Result
    seen: str
    remedy: str = ""


def ok(name: str, seen: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, Result.OK, seen)


def warn(name: str, seen: str, remedy: str) -> Finding:
    """Return a finding that something works, but may stop working."""
    return Finding(name, Result.WARN, seen, remedy)


def fail(name: str, seen: str, remedy: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(name, Result.FAIL, seen, remedy)


def skipped(name: str, why: str) -> Finding:
    """Return a finding that there is nothing to check."""
    return Finding(name, Result.SKIPPED, why)
