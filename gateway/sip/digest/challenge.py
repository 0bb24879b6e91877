"""Challenges of WWW-Authenticate and Proxy-Authenticate, and parameters of the headers that answer
them, read by their grammar (RFC 3261 25.1, RFC 7235 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_HEADER = 8_192
"""Limit of a header's value, in characters."""
MAX_CHALLENGES = 16
"""Limit of the challenges in one header."""
MAX_PARAMETERS = 32
"""Limit of a challenge's parameters."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SEPARATORS = re.compile(r"[\s,]*")
_PARAMETER = re.compile(
    rf"({_TOKEN.pattern})\s*=\s*"
    r'(?:"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"|([^\s",\x00-\x1f\x7f]*))'
)
_TOKEN68 = re.compile(r"\s+[A-Za-z0-9\-._~+/]+=*\s*(?=,|$)")
_ESCAPED = re.compile(r"\\(.)")


class BadChallenge(ValueError):
    """A header that is not made of challenges. Its text says why."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A scheme and its parameters. Names are in lower case; values are as they came, with their
    escapes, but without quotes: a nonce must be sent back without a change.
    """

    scheme: str
    parameters: Mapping[str, str]


def challenges(value: str, limit: int = MAX_HEADER) -> list[Challenge]:
    """Read the challenges of a header, of which it may have several. Raise BadChallenge, also if
    the value has more characters than `limit`.
    """
    if len(value) > limit:
        raise BadChallenge(f"a challenge is longer than {limit} characters")
    found: list[tuple[str, dict[str, str]]] = []
    for name, parameter in _parts(value):
        if parameter is None:
            found.append((name, {}))
            if len(found) > MAX_CHALLENGES:
                raise BadChallenge(f"there are more than {MAX_CHALLENGES} challenges in a header")
        elif not found:
            raise BadChallenge("a challenge does not begin with its scheme")
        else:
            _add(found[-1][1], name, parameter)
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def parameters(value: str) -> dict[str, str]:
    """Read a header of parameters alone, like Authentication-Info. Raise BadChallenge."""
    if len(value) > MAX_HEADER:
        raise BadChallenge(f"a header is longer than {MAX_HEADER} characters")
    found: dict[str, str] = {}
    for name, parameter in _parts(value):
        if parameter is None:
            raise BadChallenge(f"{name[:40]} is no parameter")
        _add(found, name, parameter)
    return found


def unescaped(value: str) -> str:
    """Return what a value means, without its escapes (RFC 3261 25.1)."""
    return _ESCAPED.sub(r"\1", value)


def quoted(text: str) -> str:
    """Write a text as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _add(found: dict[str, str], name: str, value: str) -> None:
    """Keep a parameter. If it comes twice, the first counts."""
    found.setdefault(name.lower(), value)
    if len(found) > MAX_PARAMETERS:
        raise BadChallenge(f"there are more than {MAX_PARAMETERS} parameters in a challenge")


def _parts(value: str) -> Iterator[tuple[str, str | None]]:
    """Yield (scheme, None) and (name, value), in order. Commas may be missing or many."""
    at = _end(_SEPARATORS, value, 0)
    while at < len(value):
        if parameter := _PARAMETER.match(value, at):
            name, inside, bare = parameter.groups()
            # Without quotes a backslash is no escape; with quotes, as we send it back, it is.
            yield name, bare.replace("\\", "\\\\") if inside is None else inside
            at = parameter.end()
        elif scheme := _TOKEN.match(value, at):
            yield scheme[0], None
            at = _end(_TOKEN68, value, scheme.end())
        else:
            raise BadChallenge(f"a challenge cannot be read from {value[at : at + 20]!r}")
        at = _end(_SEPARATORS, value, at)


def _end(pattern: re.Pattern[str], value: str, at: int) -> int:
    """Return where a pattern ends, or where it should have begun."""
    match = pattern.match(value, at)
    return match.end() if match else at
