"""Tests that `import app`, the price of a cold start, loads no heavy module."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = (
    "boto3", "botocore", "twilio.rest", "requests", "mcp", "moto", "numpy", "aiohttp",
    "cryptography", "phonenumbers",
)  # fmt: skip


def test_importing_the_app_loads_no_client_library():
    script = (
        "import sys, app; "
        f"print([m for m in sys.modules if m.startswith({FORBIDDEN!r})]); print(len(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded, count = done.stdout.splitlines()
    assert loaded == "[]"
    assert int(count) < 426  # of which pydantic, chalice and the standard library are most
