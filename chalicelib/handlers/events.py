"""`/api/events`: what happened, in order, by long poll."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.shape import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, NoBody, Operations
from chalicelib.services import inbox

operations = Operations("events")


class EventsQuery(Strict):
    """Where to begin, how long to wait."""

    after: str | None = Field(
        default=None,
        description="the `cursor` of the last answer; `latest`: only what happens from now on; "
        "`recent`: the last five minutes, `limit` events at most; nothing: from the oldest that is "
        "kept (7 days)",
    )
    wait: float = Field(
        default=0, ge=0, le=inbox.MAX_WAIT_S, description="seconds to wait for the first event"
    )
    limit: int = Field(default=inbox.PAGE, ge=1, le=inbox.PAGE, description="events in an answer")


@operations.get("/api/events", query=EventsQuery, answer=views.Events, problems=("bad_cursor",))
def list_events(asked: Asked[NoBody, EventsQuery]) -> Answer:
    """What happened since a cursor; waits for the first event if asked to.

    Hand the cursor back to go on. Every event comes at least once, those of one call in order.
    """
    query = asked.query
    events, cursor = inbox.read(asked.ports, asked.account_id, query.after, query.wait, query.limit)
    shown = [event.model_dump(mode="json", exclude={"account_id"}) for event in events]
    return {"events": shown, "cursor": cursor}
