"""`/api/number…`: routing numbers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from chalicelib.domain.line import LineChanges, public_view
from chalicelib.domain.phone import parse_e164
from chalicelib.domain.shape import Strict
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.handlers.views import Number, Numbers
from chalicelib.services import numbers

operations = Operations("numbers")


class Activation(Strict):
    """Which number."""

    country: str = Field(default="US", pattern=r"^[A-Z]{2}$", description="ISO 3166, two letters")


@operations.post(
    "/api/number",
    body=Activation,
    answer=Number,
    location=lambda number: f"/api/number/{number['e164']}",
    problems=("pool_empty", "too_many_numbers"),
    example={"country": "US"},
    limit=Limit("activate_number", 20, 3600),
    idempotent=True,
)
def activate_number(asked: Asked[Activation, NoQuery]) -> Answer:
    """Take a routing number from the pool."""
    return public_view(numbers.activate(asked.ports, asked.account_id, asked.body.country))


@operations.get("/api/numbers", answer=Numbers)
def list_numbers(asked: Asked[NoBody, NoQuery]) -> Answer:
    """The account's numbers."""
    held = asked.ports.lines.held_by(asked.account_id)
    return {"numbers": [public_view(line) for line in held]}


@operations.get("/api/number/{e164}", answer=Number, problems=("number_not_found",))
def get_number(asked: Asked[NoBody, NoQuery]) -> Answer:
    """One number."""
    return public_view(numbers.owned(asked.ports, asked.account_id, _number(asked)))


@operations.patch(
    "/api/number/{e164}",
    body=LineChanges,
    answer=Number,
    problems=("number_not_found",),
    example={"auto_answer": True, "label": "Desk"},
)
def change_number(asked: Asked[LineChanges, NoQuery]) -> Answer:
    """Set auto-answer, label or agent URL; what is not given stays."""
    changed = numbers.change(asked.ports, asked.account_id, _number(asked), asked.body)
    return public_view(changed)


@operations.delete("/api/number/{e164}", problems=("number_not_found",))
def release_number(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Give a number back; calls to it are rejected from then on."""
    numbers.release(asked.ports, asked.account_id, _number(asked))
    return None


def _number(asked: Asked[BaseModel, BaseModel]) -> str:
    return parse_e164(asked.path["e164"])
