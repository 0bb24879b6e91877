"""`python -m local.event_schemas`: write `docs/events.schema.json` after the catalogue of events
was changed.
"""

from __future__ import annotations

import json

from chalicelib.handlers.catalogue import schema
from local.layout import ROOT


def main() -> None:
    """The file, as the code has it."""
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    (ROOT / "docs" / "events.schema.json").write_text(text)


if __name__ == "__main__":
    main()
