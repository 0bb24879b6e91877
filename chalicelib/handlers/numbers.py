"""`/api/number…`: routing numbers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from chalicelib.domain.country import Country
from chalicelib.domain.line import LineChanges, public_view
from chalicelib.domain.model import Strict
from chalicelib.domain.phone import parse_e164
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.handlers.views import Number, Numbers
from chalicelib.services.line import numbers

operations = Operations("numbers")

ACTIVATIONS_AN_HOUR = 20

VOICE_PROBLEMS = (
    "hosted_voice_gated",
    "hosted_voice_unavailable",
    "unknown_voice",
    "unknown_language",
)
"""Codes of requests that may give a number a hosted voice."""


class Activation(Strict):
    """The country of the number to activate."""

    country: Country = Field(default="US", description="ISO 3166, two letters")


@operations.post(
    "/api/number",
    body=Activation,
    answer=Number,
    location=lambda number, _: f"/api/number/{number['e164']}",
    problems=("pool_empty", "too_many_numbers"),
    example={"country": "US"},
    limit=Limit("activate_number", ACTIVATIONS_AN_HOUR, 3600),
    idempotent=True,
)
def activate_number(request: Request[Activation, NoQuery]) -> Answer:
    """Take a routing number from the pool."""
    return public_view(numbers.activate(request.deps, request.account_id, request.body.country))


@operations.get("/api/numbers", answer=Numbers)
def list_numbers(request: Request[NoBody, NoQuery]) -> Answer:
    """List your routing numbers."""
    held = request.deps.stores.lines.held_by(request.account_id)
    return {"numbers": [public_view(line) for line in held]}


@operations.get("/api/number/{e164}", answer=Number, problems=("number_not_found",))
def get_number(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a routing number."""
    return public_view(numbers.owned(request.deps, request.account_id, _number(request)))


@operations.patch(
    "/api/number/{e164}",
    body=LineChanges,
    answer=Number,
    problems=("number_not_found", *VOICE_PROBLEMS),
    example={"auto_answer": True, "label": "Desk"},
)
def change_number(request: Request[LineChanges, NoQuery]) -> Answer:
    """Set auto-answer, label, agent URL or voice; what is not given stays."""
    changed = numbers.change(request.deps, request.account_id, _number(request), request.body)
    return public_view(changed)


@operations.delete("/api/number/{e164}", problems=("number_not_found",))
def release_number(request: Request[NoBody, NoQuery]) -> Answer:
    """Give a number back; calls to it are rejected from then on."""
    numbers.release(request.deps, request.account_id, _number(request))
    return None


def _number(request: Request[BaseModel, BaseModel]) -> str:
    return parse_e164(request.path["e164"])
