"""`python -m tools.package [FOLDER]`: print the contents of the Lambda package, as a table of
distributions with their bytes; with a FOLDER, also write the package there, unzipped.

The package is computed from the distributions that are installed here, which have the same exact
versions, so nothing is downloaded: the closure of requirements.txt without what `not_packaged.txt`
leaves out.
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import shutil
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = Path(__file__).with_name("not_packaged.txt")
OURS = ("app.py", "chalicelib", "common", "dashboard")
"""Files and folders of this checkout that Chalice packages, `vendor/` included."""
RUN_TIME = ("chalice/__init__.py", "chalice/app.py")
"""Files of its own that Chalice packages."""


@dataclass(frozen=True)
class Rules:
    """The rules of what is left out: distributions by name; files by pattern, of which the last
    that matches counts."""

    distributions: frozenset[str]
    patterns: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Rules:
        """Read the rules from the text of `not_packaged.txt`."""
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        named = frozenset(canonicalize_name(line[1:]) for line in lines if line.startswith("@"))
        return cls(named, tuple(line for line in lines if not line.startswith("@")))

    def keeps(self, path: str) -> bool:
        """Return whether a file of a distribution goes into the package."""
        kept = True
        for pattern in self.patterns:
            if fnmatch.fnmatchcase(path, pattern.removeprefix("!")):
                kept = pattern.startswith("!")
        return kept


@dataclass(frozen=True)
class Row:
    """A distribution: bytes of its files, and of those in the zip, as `pip` installs them and as we
    keep them."""

    name: str
    installed: int
    installed_zipped: int
    kept: int
    kept_zipped: int

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Return the sizes in the order in which they are shown."""
        return self.installed, self.installed_zipped, self.kept, self.kept_zipped


def needed(rules: Rules) -> set[str]:
    """Return the names of the distributions that the package holds."""
    return set(_closure(rules.distributions))


def rows(rules: Rules) -> list[Row]:
    """Return the rows of the closure of requirements.txt and of our own code, largest installed
    first."""
    every, kept = _closure(frozenset()), _closure(rules.distributions)
    found = [_row(name, _files(each), rules, kept=name in kept) for name, each in every.items()]
    found.append(_row("(the application)", _own(), rules, kept=True))
    found.append(_row("(Chalice's run time)", _run_time(), rules, kept=True))
    return sorted(found, key=lambda row: -row.installed)


def write(rules: Rules, folder: Path) -> None:
    """Write the package, unzipped, to `folder`."""
    parts = [_files(each) for each in _closure(rules.distributions).values()]
    for path, source in itertools.chain(_own(), _run_time(), *parts):
        if rules.keeps(path):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def table(found: Iterable[Row]) -> str:
    """Return the rows as a Markdown table in MB; small distributions share a row."""
    found = list(found)
    large = [row for row in found if row.installed >= 1_000_000]
    small = [row for row in found if row.installed < 1_000_000]
    shown = [*large, _sum(f"{len(small)} smaller ones", small), _sum("**all**", found)]
    head = ["package", "installed", "zipped", "packaged", "zipped"]
    cells = [[row.name, *(f"{size / 1e6:.2f}" for size in row.sizes)] for row in shown]
    lines = [head, ["---", *["---:"] * 4], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _closure(without: frozenset[str]) -> dict[str, Distribution]:
    """Return every distribution that requirements.txt leads to, by name, without `without` and
    those that only `without` leads to."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    waiting = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in without or (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        found[name] = distribution(name)
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)
            ):
                waiting.append(needed)
    return found


def _files(of: Distribution) -> Iterator[tuple[str, Path]]:
    for file in of.files or ():
        source = Path(str(file.locate()))
        if source.is_file() and "__pycache__" not in file.parts:
            yield file.as_posix(), source


def _run_time() -> Iterator[tuple[str, Path]]:
    """Yield the files that Chalice adds itself in any case (chalice/deploy/packager.py)."""
    installed = Path(str(distribution("chalice").locate_file("chalice")))
    for path in RUN_TIME:
        yield path, installed.parent / path


def _own() -> Iterator[tuple[str, Path]]:
    for name in OURS:
        top = ROOT / name
        for source in [top] if top.is_file() else sorted(top.rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                yield source.relative_to(ROOT).as_posix(), source


def _row(name: str, files: Iterable[tuple[str, Path]], rules: Rules, *, kept: bool) -> Row:
    sums = [0, 0, 0, 0]
    for path, source in files:
        content = source.read_bytes()
        sizes = len(content), len(zlib.compress(content, 6))
        for at, size in enumerate(sizes):
            sums[at] += size
            sums[2 + at] += size if kept and rules.keeps(path) else 0
    return Row(name, *sums)


def _sum(name: str, of: list[Row]) -> Row:
    return Row(name, *(sum(column) for column in zip(*(row.sizes for row in of), strict=True)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description="Weighs.")
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    rules = Rules.read(LEFT_OUT.read_text())
    if folder:
        write(rules, folder)
    print(table(rows(rules)))


if __name__ == "__main__":
    main()
