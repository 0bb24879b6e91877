"""Bases of all our pydantic models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Put together when it is first used, not when it is imported: a run of a Lambda function needs
    few of them, and half of a cold start would go into the others. (Safe with threads: pydantic
    locks it, since 2.14.)
    """

    model_config = ConfigDict(defer_build=True)


class Strict(Shape):
    """Nothing but these members."""

    model_config = ConfigDict(extra="forbid")
