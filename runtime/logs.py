"""Structured logs on standard error, one JSON object a line. Tokens are never given to them.

Each subject, a call or a trunk, has an allowance of lines, and so have all lines without a subject:
one noisy call must not fill the log. The next line that is written says how many were left out.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping

from common.budget import Budgets
from common.log_lines import JsonFormatter

LINES = 200.0, 5.0
"""Lines of one subject, at once and each second."""
SUBJECTS_REMEMBERED = 4096


class LineBudget(logging.Filter):
    """Leave out lines beyond the allowance of their subject, which the first of `subjects` that a
    line has names.
    """

    def __init__(self, *subjects: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._subjects = subjects
        self._clock = clock
        self._budgets = Budgets(*LINES, SUBJECTS_REMEMBERED)
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written; `left_out` counts those before it that were not."""
        values = (getattr(record, name, None) for name in self._subjects)
        subject = next((value for value in values if value is not None), None)
        if not self._budgets.take(subject, self._clock()):
            self._left_out += 1
            return False
        record.left_out, self._left_out = self._left_out or None, 0
        return True


def set_up(
    part: str, level: str = "INFO", *, subjects: tuple[str, ...], fields: Mapping[str, str] = {}
) -> None:
    """Send lines to standard error as JSON, each with `fields`; those of `part` from `level` on.

    Libraries log warnings only: their access logs would hold URLs, and these hold tokens. picows
    logs each peer that breaks the protocol as an error; only its lines with a traceback are ours.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(lambda: fields))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in (part, "runtime"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("picows").setLevel(logging.ERROR)
    handler.addFilter(lambda record: bool(record.exc_info) or "picows" not in record.name)
    handler.addFilter(LineBudget(*subjects))
