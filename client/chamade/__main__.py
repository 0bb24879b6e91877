"""`chamade`, and `python -m chamade`: the command line, if its packages are installed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the program."""
    try:
        import click  # noqa: F401 - is it there?
        import rich  # noqa: F401
    except ImportError:
        sys.exit('error: the command line needs more packages: pip install "chamade[cli]"')
    from chamade.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
