"""Write the API's description to standard output: `make openapi` puts it into docs/openapi.json."""

from __future__ import annotations

import json
import sys

import app  # noqa: F401 - declares the operations
from chalicelib.handlers import openapi


def main() -> None:
    """Write the document as JSON."""
    json.dump(openapi.document(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
