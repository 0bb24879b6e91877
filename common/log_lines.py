"""The log format of every part of the system: one JSON object a line, for people and for queries.

`{"at", "level", "logger", "message", …fields of the caller}`; `at` is RFC 3339 UTC with
milliseconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A formatter that writes a record and its `extra` as one line, with the fields that `always`
    returns."""

    def __init__(self, always: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, always valid JSON; fields that are None are left out."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        added = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        line = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always(),
            **added,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
