"""`python -m tools.limits`: write docs/limits.md."""

from __future__ import annotations

from tools.limits.page import DOC, page

if __name__ == "__main__":
    DOC.write_text(page())
