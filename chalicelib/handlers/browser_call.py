"""`/api/test-call`: call one of your own numbers from a browser."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from chalicelib.domain.instant import to_text
from chalicelib.domain.model import Model
from chalicelib.domain.phone import E164
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Limit, NoQuery, Operations, Request
from chalicelib.services.call import browser_calls

operations = Operations("test-calls")


class TestCallWish(Model):
    """A request for a test call."""

    __test__ = False  # pytest must not collect it

    model_config = ConfigDict(extra="forbid")

    to: E164 = Field(description="a number of yours, routing number or DID")


@operations.post(
    "/api/test-call",
    body=TestCallWish,
    answer=views.TestCall,
    status=201,
    problems=("number_not_found", "test_calls_unavailable"),
    example={"to": "+15555500100"},
    limit=Limit("test_call", 20, 60),
)
def create_test_call(request: Request[TestCallWish, NoQuery]) -> Answer:
    """Have a browser call a number of yours: your agent rings as with any call.

    Open `url` as a WebSocket within a minute; that places the call, once. Send and receive 160
    bytes of mu-law every 20 ms, as binary messages. `from` is the caller that the call will have.
    """
    invited = browser_calls.invite(request.deps, request.account_id, request.body.to)
    ticket = invited.ticket
    return {
        "url": invited.url,
        "expires_at": to_text(ticket.expires_s * 1000),
        "to": ticket.to,
        "from": ticket.from_,
        "format": "mulaw",
        "sample_rate": 8000,
        "frame_duration_ms": 20,
        "frame_bytes": 160,
    }
