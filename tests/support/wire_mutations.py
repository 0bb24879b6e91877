"""Makes JSON messages as they must not be, by chance: of valid ones, with members, values and bytes
changed.

A message is changed as a tree first (members are doubled, dropped, renamed; values become another
type, too long, too deep, too great), then as bytes (cut within a character, flipped, put in).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

DEEP = 3_000
"""Brackets of a nested value: more than any decoder follows."""
LONG = 20_000
"""Characters of a long text, digits of a great number."""
_ODD = [
    b"null", b"true", b"false", b"0", b"-0", b"1.5", b"-1", b"1e999", b"-1E+400", b"1e-999",
    b"NaN", b"Infinity", b"-Infinity", b"00", b"1.", b".5", b"18446744073709551616",
    b"-9223372036854775809", b"2e0", b"{}", b"[]", b"[null]", b'{"":{}}', b'""', b'" "',
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\u12"', b'"\\x41"',
    b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xf8\x88\x80\x80\x80"', b'"\xc0\xaf"', b'"\n"',
    b'"\xe2\x80\xa8"', b'"AQID\\n"', b'"AQ"', b'"AQ=="', b'"A==="', b'"%%%%"', b'"AQ=ID"', b"'a'",
    b"", b"undefined", b"+1", b"0x10", b"//", b'"clear"', b'"1.0"',
]  # fmt: skip
"""Values of any type, and some that are none."""
_ODD_NAMES = [b'"\xff"', b'"\\ud800"', b'""', b"1", b'"' + b"n" * 300 + b'"']
_PIECES = [
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\u", b" ",
    b"\xe2\x82", b"\r\n", b"e9", b"=", b"null", b'"event":"media",', b'"type":"clear",',
]  # fmt: skip

Pairs = list[tuple[bytes, Any]]
"""An object: members may come twice. The names are JSON texts, the values trees or JSON texts."""


class JsonMutator:
    """Makes messages of the messages that it is given."""

    def __init__(self, chance: random.Random, messages: list[bytes]) -> None:
        self._chance = chance
        self._trees = [_tree(json.loads(text, object_pairs_hook=_Members)) for text in messages]
        names = {name for tree in self._trees for name in _names(tree)}
        self._names = [
            *sorted(names),
            b'"\xff"',
            b'"\\ud800"',
            b'""',
            b"1",
            b'"' + b"n" * 300 + b'"',
        ]
        self._values = [*_ODD, *(_emit(tree) for tree in self._trees)]
        self._of_bytes: list[Callable[[bytearray], None]] = [
            self._flip,
            self._cut,
            self._put_in,
            self._take_out,
            self._double,
        ]

    def message(self) -> bytes:
        """Return one message, which may be valid by chance."""
        chance = self._chance
        tree = chance.choice(self._trees)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            tree = self._changed(tree)
        text = bytearray(_emit(tree))
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
            if text:
                chance.choice(self._of_bytes)(text)
        return bytes(text)

    def _changed(self, tree: Any) -> Any:
        """Return a tree with one change, somewhere."""
        chance = self._chance
        if not isinstance(tree, list) or not tree or chance.random() < 0.1:
            return self._value()
        members: Pairs = list(tree)
        at = chance.randrange(len(members))
        name, value = members[at]
        match chance.randrange(7):
            case 0:
                members.insert(chance.randrange(len(members) + 1), (name, self._value()))
            case 1:
                del members[at]
            case 2:
                members[at] = chance.choice(self._names), value
            case 3:
                members[at] = name, self._value()
            case 4:
                chance.shuffle(members)
            case 5:
                members.append((chance.choice(self._names), self._value()))
            case _:
                members[at] = name, self._changed(value)
        return members

    def _value(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.98:
            return chance.choice(self._values)
        size = chance.choice((100, 129, 4301, LONG))
        return chance.choice(
            (
                b'"' + b"A" * size + b'"',
                b'"' + "é".encode() * size + b'"',
                b"1" * size,
                b"-0." + b"3" * size,
                b"[" * DEEP,
                b"[" * 500 + b"]" * 500,
                b'{"a":' * DEEP + b"1" + b"}" * DEEP,
                b"[" + b"0," * size + b"0]",
            )
        )

    def _flip(self, text: bytearray) -> None:
        text[self._chance.randrange(len(text))] ^= 1 << self._chance.randrange(8)

    def _cut(self, text: bytearray) -> None:
        del text[self._chance.randrange(len(text)) :]

    def _put_in(self, text: bytearray) -> None:
        at = self._chance.randrange(len(text))
        text[at:at] = self._chance.choice(_PIECES)

    def _take_out(self, text: bytearray) -> None:
        at = self._chance.randrange(len(text))
        del text[at : at + self._chance.choice((1, 2, 8))]

    def _double(self, text: bytearray) -> None:
        at = self._chance.randrange(len(text))
        text[at:at] = text[at : at + self._chance.choice((1, 4, 32, 400))]


class _Members(list[tuple[str, Any]]):
    """An object of the JSON decoder's, apart from its arrays."""


def _tree(value: Any) -> Any:
    if isinstance(value, _Members):
        return [(json.dumps(name).encode(), _tree(each)) for name, each in value]
    return json.dumps(value).encode()


def _names(tree: Any) -> list[bytes]:
    if not isinstance(tree, list):
        return []
    return [each for name, value in tree for each in (name, *_names(value))]


def _emit(tree: Any) -> bytes:
    if isinstance(tree, bytes):
        return tree
    return b"{" + b",".join(name + b":" + _emit(value) for name, value in tree) + b"}"
