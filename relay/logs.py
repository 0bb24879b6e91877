"""Structured logs on stderr, with `call_id` where there is one. Tokens are never given to it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from wire.log_lines import JsonFormatter

_log = logging.getLogger("relay")


def setup(relay_id: str) -> None:
    """Send everything, libraries' warnings included, to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(lambda: {"relay": relay_id}))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _log.setLevel(logging.INFO)
    # picows logs each peer that breaks the protocol as an error; ours are those with a traceback.
    logging.getLogger("picows").setLevel(logging.ERROR)
    handler.addFilter(lambda record: bool(record.exc_info) or "picows" not in record.name)


def info(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Something that is worth a line when one reads about a call later."""
    _log.info(message, extra={"call_id": call_id, **fields})


def warning(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Something that somebody ought to look at."""
    _log.warning(message, extra={"call_id": call_id, **fields})


def exception(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """A fault of ours, with the traceback of the exception being handled."""
    _log.exception(message, extra={"call_id": call_id, **fields})
