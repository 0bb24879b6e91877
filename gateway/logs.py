"""JSON logs, one object a line, with `call_sid` where there is a call. Never a credential.

Not a logging framework: the standard library's, with a formatter. Modules log through
`logging.getLogger(__name__)` or, where a call is at hand, through `of_call`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

_FIELDS = ("call_sid", "stream_sid", "error_code", "url", "status", "sip_code", "host", "port")


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: ts (epoch s), level, logger, msg, and the known extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, always valid JSON."""
        entry: dict[str, Any] = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        for name in _FIELDS:
            if (value := getattr(record, name, None)) is not None:
                entry[name] = value
        if record.exc_info:
            entry["exc"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that says which call it speaks of; further fields go through `extra`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Adds the call's fields to the record's own."""
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs


def of_call(name: str, call_sid: str, **fields: str) -> CallLog:
    """The logger `name`, marked with a call (and, say, `stream_sid`)."""
    return CallLog(logging.getLogger(name), {"call_sid": call_sid, **fields})


def set_up(level: str = "INFO", stream: TextIO = sys.stderr) -> None:
    """Sends the root logger to `stream` as JSON lines. Access logs stay off: URLs hold tokens."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.Formatter.converter = time.gmtime
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.getLogger("picows").setLevel(logging.WARNING)
