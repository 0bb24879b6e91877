"""Divide a text into sentences, which are synthesised and sent one by one.

So the first sentence is heard while the next one is made, and an interruption wastes little work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 200
"""Characters of a sentence; a longer one is divided at a comma, or else at a space."""

_END = re.compile(
    r"""
      [.!?\u2026]+ ["'\u201d\u2019)\]]* (?=\s|$)   # as in: Really?" Yes.
    | [\u3002\uff01\uff1f\u0964\u061f]+             # languages that put no space after it
    | \n\s*
    """,
    re.VERBOSE,
)
_ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "no", "nr",
    "approx", "dept", "est", "fig", "inc", "ltd", "co", "corp", "jan", "feb", "mar", "apr", "jun",
    "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "sat",
    "sun", "a.m", "p.m", "u.s", "u.k", "mme", "mlle", "z.b", "d.h", "bzw", "ca", "tel", "sra",
    "srta", "av",
})  # fmt: skip
_ENDING_ABBREVIATIONS = frozenset({
    "no", "etc", "a.m", "p.m", "inc", "ltd", "co", "corp", "jr", "sr", "u.s", "u.k", "sun", "sat",
})  # fmt: skip
"""Abbreviations after which a sentence ends if a capital follows."""
_CLAUSE = re.compile(r"[,;:\u2014\u2013\u3001\uff0c]\s|[\u3001\uff0c]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and its place in the text: `text[start:end]`."""

    text: str
    start: int
    end: int


def divide(text: str) -> list[Sentence]:
    """Return the sentences of a text in order. A text without any letter or digit has none."""
    sentences: list[Sentence] = []
    start = 0
    for found in _END.finditer(text):
        if found.end() < len(text) and not _ends(text, start, found):
            continue
        sentences += _pieces(text, start, found.end())
        start = found.end()
    return sentences + _pieces(text, start, len(text))


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    """Return whether a sentence ends here, and not just an abbreviation, a number or an initial."""
    if found[0] != ".":
        return True
    before = text[start : found.start()].split()
    last = before[-1].strip("(\"'").lower() if before else ""
    after = text[found.end() :].lstrip()[:1]
    if last.isdigit() and len(before) == 1:
        return False  # as in a list: 1. Milk
    if len(last) == 1 and last.isalpha() and last != "i":
        return False  # an initial, as in J. Smith
    if last in _ENDING_ABBREVIATIONS:
        return after.isupper()
    return last not in _ABBREVIATIONS and not after.islower()


def _pieces(text: str, start: int, end: int) -> list[Sentence]:
    pieces: list[Sentence] = []
    while start < end:
        stop = end if end - start <= MOST else _division(text, start, start + MOST)
        said = text[start:stop].strip()
        if any(character.isalnum() for character in said):
            pieces.append(Sentence(said, start, stop))
        start = stop
    return pieces


def _division(text: str, start: int, most: int) -> int:
    """Return the best place to divide a sentence that is too long."""
    clauses = [found.end() for found in _CLAUSE.finditer(text, start, most)]
    if clauses and clauses[-1] - start >= MOST // 4:
        return clauses[-1]
    space = text.rfind(" ", start + 1, most)
    return space + 1 if space > start else most
