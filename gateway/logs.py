"""JSON logs, one object a line, with `call_sid` where there is a call. Never a credential.

Modules log through `logging.getLogger(__name__)` or, where a call is at hand, through `of_call`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

from wire.log_lines import JsonFormatter


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
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.getLogger("picows").setLevel(logging.WARNING)
