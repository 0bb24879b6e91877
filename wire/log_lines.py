"""The log line that every part of the system writes: one JSON object, readable by a person and by
a query alike.

`{"at", "level", "logger", "message", …what the caller adds}`; `at` is RFC 3339 UTC with
milliseconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record and its `extra` as one line. What `always` returns is added to each."""

    def __init__(self, always: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """One line, always valid JSON; what is None is left out."""
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
