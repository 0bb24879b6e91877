"""Structured logs: one JSON object a line, with `call_id` wherever there is one.

Never in a log: keys, tokens, signatures, bodies. Callers' numbers do appear where a call is traced.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))


@contextlib.contextmanager
def log_context(**fields: str | None) -> Iterator[None]:
    """Put `fields` (those that are not None) on every line logged inside."""
    given = {name: value for name, value in fields.items() if value is not None}
    token = _context.set({**_context.get(), **given})
    try:
        yield
    finally:
        _context.reset(token)


class JsonFormatter(logging.Formatter):
    """`{"at", "level", "logger", "message", …whatever `extra` holds}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        added = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        line = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_context.get(),
            **added,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure() -> None:
    """Send everything from `CHAMADE_LOG_LEVEL` (default INFO) up to standard output as JSON.

    Lambda has put a handler of its own on the root logger: it is replaced, not added to.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(os.environ.get("CHAMADE_LOG_LEVEL", "INFO").upper())
    for chatty in ("botocore", "urllib3", "boto3", "twilio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
