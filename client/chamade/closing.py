"""The context manager of what has a `close`."""

from __future__ import annotations

from typing import Self


class Closing:
    """A context manager that closes itself at the end of its block."""

    def close(self) -> None:
        """Give back what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
