"""The number of processes of a part, as a setting gives it."""

from __future__ import annotations

import os
import re

MAX_PROCESSES = 32
"""Limit of the processes of one part on a machine."""
AUTO = "auto"


def count_of(text: str) -> int:
    """Read the number of processes: 1 to `MAX_PROCESSES`, or `auto` for one on each processor.

    Raises ValueError.
    """
    if text == AUTO:
        return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) or not 1 <= int(text) <= MAX_PROCESSES:
        raise ValueError(f"must be a number from 1 to {MAX_PROCESSES}, or {AUTO}, not {text!r}")
    return int(text)
