"""Structured logs: one JSON object a line on stderr. Tokens and secrets are never given to it."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

_log = logging.getLogger("relay")


def setup(relay_id: str) -> None:
    """Send everything, libraries' warnings included, to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(relay_id))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _log.setLevel(logging.INFO)
    # picows logs each peer that breaks the protocol as an error; ours are those with a traceback.
    logging.getLogger("picows").setLevel(logging.ERROR)
    handler.addFilter(lambda record: bool(record.exc_info) or "picows" not in record.name)


def info(event: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Something that is worth a line when one reads about a call later."""
    _log.info(event, extra={"fields": {"call_id": call_id, **fields}})


def warning(event: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Something that somebody ought to look at."""
    _log.warning(event, extra={"fields": {"call_id": call_id, **fields}})


def exception(event: str, *, call_id: str | None = None, **fields: Any) -> None:
    """A fault of ours, with the traceback of the exception being handled."""
    _log.exception(event, extra={"fields": {"call_id": call_id, **fields}})


class _Json(logging.Formatter):
    def __init__(self, relay_id: str) -> None:
        super().__init__()
        self._relay_id = relay_id

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "relay": self._relay_id,
            "event": record.getMessage(),
        }
        fields: dict[str, Any] = getattr(record, "fields", {"logger": record.name})
        line |= {key: value for key, value in fields.items() if value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
