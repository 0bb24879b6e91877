"""The header fields of a message in their order, with the names that they go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.sip.syntax.grammar import TOKEN, split_list

COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"""Compact forms of header names (IANA, Session Initiation Protocol Parameters)."""


class Headers:
    """Header fields in their order. Names are compared without regard to case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []
        for name, value in fields:
            self.add(name, value)

    def add(self, name: str, value: object) -> None:
        """Append a field. Raises ValueError if it would break the line."""
        text = str(value)
        if "\r" in text or "\n" in text or not TOKEN.issuperset(name) or not name:
            raise ValueError(f"not a header field: {name[:40]!r}")
        self._fields.append((name.lower(), name, text))

    def add_first(self, name: str, value: object) -> None:
        """Put a field in front of all others, as a Via is."""
        self.add(name, value)
        self._fields.insert(0, self._fields.pop())

    def put(self, name: str, value: object) -> None:
        """Replace the fields of that name by one, in the place of the first."""
        key = name.lower()
        place = next((i for i, (at, _, _) in enumerate(self._fields) if at == key), None)
        self.add(name, value)
        field = self._fields.pop()
        self.remove(name)
        self._fields.insert(len(self._fields) if place is None else place, field)

    def remove(self, name: str) -> None:
        """Remove all fields of that name."""
        key = name.lower()
        self._fields = [field for field in self._fields if field[0] != key]

    def get(self, name: str) -> str:
        """Return the first field's value, "" if there is none."""
        key = name.lower()
        return next((value for at, _, value in self._fields if at == key), "")

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of that name, one for each line."""
        key = name.lower()
        return [value for at, _, value in self._fields if at == key]

    def values(self, name: str) -> list[str]:
        """Return the values of a header that is a list, over all its lines."""
        return [value for line in self.all(name) for value in split_list(line)]

    def tokens(self, name: str) -> set[str]:
        """Return the values of a list of tokens, in lower case."""
        return {value.lower() for value in self.values(name)}

    def copy(self) -> Headers:
        """Return a copy that may be changed."""
        copied = Headers()
        copied._fields = list(self._fields)
        return copied

    def __contains__(self, name: str) -> bool:
        key = name.lower()
        return any(at == key for at, _, _ in self._fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._fields)

    def __len__(self) -> int:
        return len(self._fields)
