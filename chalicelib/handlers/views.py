"""The shapes of answers, as the description of the API promises them.

Answers are made by the domain's `public_view`s; a test holds every answer to these.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class View(BaseModel):
    """Nothing but these members."""

    model_config = ConfigDict(extra="forbid")


class Number(View):
    """A routing number."""

    e164: str
    country: str
    auto_answer: bool
    label: str
    activated_at: str | None


class Numbers(View):
    """The account's routing numbers."""

    numbers: list[Number]
