"""`python -m local.event_schemas`: write `docs/events.schema.json`, after a change of the catalogue
of events.
"""

from __future__ import annotations

import json

from chalicelib.handlers.event_catalogue import schema
from local.layout import ROOT


def main() -> None:
    """Write the file from the catalogue in the code."""
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    (ROOT / "docs" / "events.schema.json").write_text(text)


if __name__ == "__main__":
    main()
