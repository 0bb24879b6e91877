"""Tables for terminals of any width. No cell is shortened or broken: ids are to be copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.cells import cell_len

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column of a list. `rank`: 0 is shown at any width, 1 comes first if there is more room."""

    name: str
    value: Callable[[Any], object]
    rank: int = 0


def terminal_width() -> int:
    """Return the columns of the terminal: COLUMNS if it is set, else as the terminal says."""
    return shutil.get_terminal_size().columns


def heading(line: str) -> str:
    """Make a line bold, unless NO_COLOR or the terminal is against it."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return line if plain else click.style(line, bold=True)


def chosen(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the places of the columns that fit into `room`; none if those of rank 0 do not fit."""
    widths = _widths([[one.name for one in columns], *rows])
    by_rank = sorted(range(len(columns)), key=lambda place: columns[place].rank)
    fitting: list[int] = []
    left = room + len(GAP)
    for place in by_rank:
        width = widths[place] + len(GAP)
        if width <= left:
            fitting.append(place)
            left -= width
        elif columns[place].rank == 0:
            return []
    return sorted(fitting)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a line for each row, with its cells below each other."""
    widths = _widths(rows)
    for row in rows:
        yield GAP.join(map(_padded, row, widths)).rstrip()


def flowed(cells: Sequence[str], widths: Sequence[int], room: int) -> str:
    """Lay out one row: further cells go to a next line, indented, where they would not fit."""
    lines: list[str] = []
    for cell, width in zip(cells, widths, strict=True):
        padded = _padded(cell, width)
        if lines and cell_len(lines[-1] + GAP + padded) <= room:
            lines[-1] += GAP + padded
        else:
            lines.append((GAP if lines else "") + padded)
    return "\n".join(line.rstrip() for line in lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
