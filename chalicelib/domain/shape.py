"""Bases of all our pydantic models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Put together when it is first used, not when it is imported: a run of a Lambda function needs
    few of them, and a cold start should not be spent on the others (docs/package.md). Safe with
    threads: pydantic holds a lock.
    """

    model_config = ConfigDict(defer_build=True)


class Strict(Shape):
    """Nothing but these members."""

    model_config = ConfigDict(extra="forbid")
