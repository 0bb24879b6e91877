"""Structured logs: one JSON object a line, with `call_id` wherever there is one.

Never in a log: keys, tokens, signatures, bodies. Callers' numbers do appear where a call is traced.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

from common.log_lines import JsonFormatter

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


def formatter() -> JsonFormatter:
    """Return the formatter that writes each record as one line, with the fields of
    `log_context`.
    """
    return JsonFormatter(_context.get)


def configure() -> None:
    """Send everything from `CHAMADE_LOG_LEVEL` (default INFO) up to standard output as JSON.

    Lambda has put a handler of its own on the root logger: it is replaced, not added to.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(os.environ.get("CHAMADE_LOG_LEVEL", "INFO").upper())
    for chatty in ("botocore", "urllib3", "boto3", "twilio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
