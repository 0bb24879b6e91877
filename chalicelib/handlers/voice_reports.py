"""`/voice/report`: what voice hosts report of their calls (docs/contracts.md)."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from chalice.app import Blueprint
from pydantic import Field, TypeAdapter, ValidationError

from chalicelib import bootstrap
from chalicelib.domain.model import Model
from chalicelib.domain.transcript import MAX_ITEMS, Heard, Report, ReportItem, Resumed, Spoken
from chalicelib.http import signed_body
from chalicelib.logs import log_context

log = logging.getLogger(__name__)

routes = Blueprint(__name__)

MAX_HOST = 64
"""Characters of a voice host's name."""


class PostedReport(Model):
    """A report of a voice host."""

    host: str = Field(min_length=1, max_length=MAX_HOST)
    call_id: str
    sequence: int = Field(ge=1, lt=2**53)
    items: list[dict[str, Any]] = Field(max_length=MAX_ITEMS)


_item: TypeAdapter[ReportItem] = TypeAdapter(
    Annotated[Heard | Spoken | Resumed, Field(discriminator="type")]
)


@routes.route("/voice/report", methods=["POST"])
def report() -> dict[str, Any]:
    """Note what was said in a call; return the call's state."""
    from chalicelib.services.call import voice_reports  # most processes get no reports

    body = signed_body(routes.current_request, "/voice/report", bootstrap.config().voice_secret)
    posted = PostedReport.model_validate_json(body)
    with log_context(call_id=posted.call_id):
        items = [item for each in posted.items if (item := _read(each)) is not None]
        taken = Report(posted.host, posted.sequence, items)
        call = voice_reports.take_report(bootstrap.dependencies(), posted.call_id, taken)
    return {"call": {"state": call.state.value}}


def _read(given: dict[str, Any]) -> ReportItem | None:
    """Read an item; None, with a line in the log, for one that is not understood: the others of its
    report must not be lost for it.
    """
    try:
        return _item.validate_python(given)
    except ValidationError as error:
        kinds = sorted({each["type"] for each in error.errors()})
        log.warning("item of a voice host not understood", extra={"errors": kinds})
        return None
