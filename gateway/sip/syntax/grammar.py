"""Reads the lexical pieces of RFC 3261 25.1: tokens, quoted strings, parameters, lists.

A `Scanner` walks over one header value. Nothing is found by searching: a piece is read where the
grammar has it, so a URI inside a display name is part of the name and never an address.
"""

from __future__ import annotations

import string
from collections.abc import Iterator

from gateway.sip.errors import SipSyntaxError

TOKEN = frozenset(string.ascii_letters + string.digits + "-.!%*_+`'~")
"""The characters of a token (RFC 3261 25.1)."""

_DIGITS = frozenset(string.digits)
_VALUE = TOKEN | frozenset("[]:/?&=@$#^{|}\\")
"""The characters of a parameter's value that is not quoted. Wider than the RFC: carriers write
hosts, URIs and base64 there."""
_SPACE = " \t\r\n"


class Scanner:
    """A place in a text, from which pieces are read one after the other."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def rest(self) -> str:
        """Return what has not been read yet."""
        return self.text[self.at :]

    @property
    def ended(self) -> bool:
        """Return whether nothing but white space is left."""
        self.space()
        return self.at >= len(self.text)

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        return self.text[self.at : self.at + 1]

    def space(self) -> None:
        """Skip white space. Folded lines are blanks here already."""
        text, at = self.text, self.at
        while at < len(text) and text[at] in _SPACE:
            at += 1
        self.at = at

    def take(self, separator: str) -> bool:
        """Read a separator with the white space around it. Return False if it is not here."""
        begin = self.at
        self.space()
        if not self.text.startswith(separator, self.at):
            self.at = begin
            return False
        self.at += len(separator)
        self.space()
        return True

    def expect(self, separator: str) -> None:
        """Read a separator with the white space around it."""
        if not self.take(separator):
            raise self.error(f"'{separator}'")

    def run(self, allowed: frozenset[str]) -> str:
        """Read the longest run of allowed characters, which may be empty."""
        text, at = self.text, self.at
        while at < len(text) and text[at] in allowed:
            at += 1
        begin, self.at = self.at, at
        return text[begin:at]

    def until(self, stops: str) -> str:
        """Read up to the next of these characters, which stays unread."""
        text, at = self.text, self.at
        while at < len(text) and text[at] not in stops:
            at += 1
        begin, self.at = self.at, at
        return text[begin:at]

    def token(self) -> str:
        """Read a token."""
        if not (found := self.run(TOKEN)):
            raise self.error("a token")
        return found

    def number(self, digits: int = 10) -> int:
        """Read a decimal number of at most so many digits."""
        found = self.run(_DIGITS)
        if not 0 < len(found) <= digits:
            self.at -= len(found)
            raise self.error(f"a number of at most {digits} digits")
        return int(found)

    def quoted(self) -> str:
        """Read a quoted string; return its text, without quotes and backslashes."""
        if self.peek() != '"':
            raise self.error("a quoted string")
        text, at = self.text, self.at + 1
        out: list[str] = []
        while at < len(text):
            char = text[at]
            if char == '"':
                self.at = at + 1
                return "".join(out)
            if char == "\\":
                at += 1
                char = text[at : at + 1]
            out.append(char)
            at += 1
        self.at = len(text)
        raise self.error("the closing quote")

    def error(self, expected: str) -> SipSyntaxError:
        """Return an error that says what was expected here."""
        here = self.text[self.at : self.at + 20]
        return SipSyntaxError(
            f"expected {expected} at {here!r}" if here else f"{expected} is missing"
        )


class Params(dict[str, str | None]):
    """The parameters behind a value: `;lr;transport=tcp`. Names are in lower case; None: no value.

    The first of a repeated parameter counts, as with RFC 3261 7.3.1's single values.
    """

    def text(self, name: str) -> str:
        """Return a parameter's value, "" if it is absent or has none."""
        return self.get(name) or ""

    def __str__(self) -> str:
        return "".join(
            f";{name}" if value is None else f";{name}={quote_unless_plain(value)}"
            for name, value in self.items()
        )


def quote_unless_plain(value: str) -> str:
    """Return the value as it stands if it may stand bare, else as a quoted string."""
    if value and _VALUE.issuperset(value) and "\\" not in value:
        return value
    return quote(value)


def quote(value: str) -> str:
    """Return the value as a quoted string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_params(scanner: Scanner) -> Params:
    """Read `;name=value` as long as there are any. Empty ones (`;;`) are skipped."""
    params = Params()
    while scanner.take(";"):
        name = scanner.run(TOKEN).lower()
        if not name:
            continue
        value: str | None = None
        if scanner.take("="):
            value = scanner.quoted() if scanner.peek() == '"' else scanner.run(_VALUE)
        params.setdefault(name, value)
    return params


def split_list(text: str) -> Iterator[str]:
    """Yield the values of a header that is a list. Commas in quotes and in <> do not separate.

    A quote that is never closed takes the rest of the line: what is in doubt is one value.
    """
    if '"' not in text and "<" not in text:
        yield from filter(None, map(str.strip, text.split(",")))
        return
    begin = at = 0
    inside = ""
    while at < len(text):
        char = text[at]
        if inside == '"':
            if char == "\\":
                at += 1
            elif char == '"':
                inside = ""
        elif inside == "<":
            if char == ">":
                inside = ""
        elif char in '"<':
            inside = char
        elif char == ",":
            if value := text[begin:at].strip():
                yield value
            begin = at + 1
        at += 1
    if value := text[begin:].strip():
        yield value
