"""Log lines about calls: `call_id` is a keyword of its own. Tokens are never logged."""

from __future__ import annotations

import logging
from typing import Any

_log = logging.getLogger("voice")


def info(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Log what helps somebody who reads about a call later."""
    _log.info(message, extra={"call_id": call_id, **fields})


def warning(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Log what somebody ought to look at."""
    _log.warning(message, extra={"call_id": call_id, **fields})


def exception(message: str, *, call_id: str | None = None, **fields: Any) -> None:
    """Log a fault of ours, with the traceback of the exception that is being handled."""
    _log.exception(message, extra={"call_id": call_id, **fields})
