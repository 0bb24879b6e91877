"""`/media/recording`: relays ask where the segments of a recording go (docs/contracts.md)."""

from __future__ import annotations

from typing import Annotated, Any

from chalice.app import Blueprint
from pydantic import Field, model_validator

from chalicelib import bootstrap
from chalicelib.domain.model import Model
from chalicelib.http import signed_body
from chalicelib.logs import log_context

routes = Blueprint(__name__)

MAX_URLS = 16
"""Segments for which a relay asks at a time."""
MAX_START_MS = 25 * 3600 * 1000
"""The latest begin of a segment: calls are at most a day long."""


class RecordingReport(Model):
    """A relay asks where segments go that begin at these times, or tells that no more come."""

    relay: str
    call_id: str
    recording_id: str
    starts_ms: list[Annotated[int, Field(ge=0, le=MAX_START_MS)]] = Field(
        default_factory=list, max_length=MAX_URLS
    )
    over: bool = False

    @model_validator(mode="after")
    def _asks_or_tells(self) -> RecordingReport:
        if bool(self.starts_ms) == self.over:
            raise ValueError("either starts_ms or over is wanted")
        return self


@routes.route("/media/recording", methods=["POST"])
def recording() -> dict[str, Any]:
    """Answer where segments go; compose a recording that is over."""
    secret = bootstrap.config().control_secret
    body = signed_body(routes.current_request, "/media/recording", secret)
    posted = RecordingReport.model_validate_json(body)
    from chalicelib.services.call import recordings  # most calls are not recorded

    deps = bootstrap.dependencies()
    with log_context(call_id=posted.call_id):
        if posted.over:
            recordings.uploaded(deps, posted.call_id, posted.recording_id)
            return {}
        urls = recordings.upload_urls(deps, posted.call_id, posted.recording_id, posted.starts_ms)
    return {"uploads": {str(start): {"url": url} for start, url in urls.items()}}
