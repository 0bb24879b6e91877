"""`/api/events`: what happened, in order, by long poll."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint
from pydantic import BaseModel, ConfigDict, Field

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.services import inbox

routes = Blueprint(__name__)


class EventsQuery(BaseModel):
    """Query of `GET /api/events`."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = None
    wait: float = Field(default=0, ge=0, le=inbox.MAX_WAIT_S)


@routes.route("/api/events", methods=["GET"])
def list_events() -> dict[str, Any]:
    """Events after a cursor; waits for the first one if asked to."""
    ports = bootstrap.ports()
    account_id = account(ports, routes.current_request)
    query = EventsQuery.model_validate(routes.current_request.query_params or {})
    events, cursor = inbox.read(ports, account_id, query.after, query.wait)
    shown = [event.model_dump(mode="json", exclude={"account_id"}) for event in events]
    return {"events": shown, "cursor": cursor}
