"""Loggers of calls. Other lines are logged through `logging.getLogger(__name__)`."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """A logger for one call; further fields go through `extra`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the call's fields to the record's own."""
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs


def of_call(name: str, call_sid: str, **fields: str) -> CallLog:
    """Return the logger `name`, marked with a call (and, for example, `stream_sid`)."""
    return CallLog(logging.getLogger(name), {"call_sid": call_sid, **fields})
