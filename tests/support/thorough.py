"""The number of generated inputs that are tried: few in `make test`, for which everybody waits, and
many in `make fuzz` (`CHAMADE_TESTS=thorough`).
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("CHAMADE_TESTS") == "thorough"


def often(usual: int, thorough: int) -> int:
    """Return the number of examples."""
    return thorough if THOROUGH else usual
