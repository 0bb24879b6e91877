"""Bases of all our pydantic models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A model that is built when it is first used, not when it is imported: a Lambda function uses
    few models, and a cold start should not build the others (docs/package.md). Safe with threads:
    pydantic holds a lock.
    """

    model_config = ConfigDict(defer_build=True)


class Strict(Model):
    """A model that refuses members which it does not declare."""

    model_config = ConfigDict(extra="forbid")
