"""`/api/events`: the account's events, in order, by long poll."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.model import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, NoBody, Operations, Request
from chalicelib.services import inbox

operations = Operations("events")


class EventsQuery(Strict):
    """The cursor to begin at, and how long to wait."""

    after: str | None = Field(
        default=None,
        description="the `cursor` of the last answer; `latest`: only what happens from now on; "
        "`recent`: the last five minutes, `limit` events at most; nothing: from the oldest that is "
        "kept (7 days)",
    )
    wait: float = Field(
        default=0,
        ge=0,
        le=inbox.MAX_WAIT_S,
        description="seconds to wait for the first event; so many requests of an account wait at "
        "the same time as its `max_waiting_polls` says",
    )
    limit: int = Field(default=inbox.PAGE, ge=1, le=inbox.PAGE, description="events in an answer")


@operations.get(
    "/api/events", query=EventsQuery, answer=views.Events, problems=("bad_cursor", "too_many_polls")
)
def list_events(request: Request[NoBody, EventsQuery]) -> Answer:
    """List the events since a cursor, and wait for the first one if `wait` says so.

    Hand the cursor back to go on. Every event comes at least once, those of one call in order.
    """
    query = request.query
    events, cursor = inbox.read(
        request.deps, request.account_id, query.after, query.wait, query.limit
    )
    shown = [event.model_dump(mode="json", exclude={"account_id"}) for event in events]
    return {"events": shown, "cursor": cursor}
