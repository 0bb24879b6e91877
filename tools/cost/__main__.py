"""`python -m tools.cost` prints the tables of docs/cost.md; `--write` puts them there."""

from __future__ import annotations

import argparse

from tools.cost.tables import BEGIN, DOC, END, sections


def main() -> None:
    """Print the tables, or put them where docs/cost.md has them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="into docs/cost.md")
    if not parser.parse_args().write:
        print(sections())
        return
    before, _, rest = DOC.read_text().partition(BEGIN)
    DOC.write_text(f"{before}{BEGIN}\n\n{sections()}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
