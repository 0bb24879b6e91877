"""How long made-up inputs are tried: as long as everybody waits for `make test`, or as `make fuzz`
has it (`CHAMADE_TESTS=thorough`).
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("CHAMADE_TESTS") == "thorough"


def often(usual: int, thorough: int) -> int:
    """How many examples."""
    return thorough if THOROUGH else usual
