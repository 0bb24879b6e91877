"""Find the number that a carrier means by the To of a call, with or without a trunk's numbers to
compare it with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from chalicelib.domain.did import Did
from chalicelib.domain.phone import BadNumber, parse_e164

MIN_NATIONAL_DIGITS = 6
"""Fewer digits than this do not identify a number by its end."""
_SEPARATORS = re.compile(r"[\s().-]")
_DIGITS = re.compile(r"\+?\d+", re.ASCII)


def match_did(called: str, dids: Sequence[Did], username: str | None = None) -> Did | None:
    """Return the number that a carrier means by `called` (its To), among the trunk's; None if it is
    not clear which.

    Carriers write a number as E.164, without its plus, after 00 or 011, or as in its country; as it
    is or as the user of a SIP URI. Some name only the account that registered (`username`): then
    the result is the trunk's only number, if it has just one.
    """
    user = user_part(called)
    for e164 in _international(user):
        for did in dids:
            if did.e164 == e164:
                return did
    digits = _SEPARATORS.sub("", user)
    number = bool(_DIGITS.fullmatch(digits))
    found = _national(digits, dids) if number else None
    if found is None and len(dids) == 1 and (not number or user == username):
        return dids[0]
    return found


def international_forms(called: str) -> list[str]:
    """Return the E.164 numbers that `called` can be when no trunk's numbers help to read it,
    likeliest first: as it is, with the plus that was left out, without the prefix 00 or 011.
    """
    return _international(user_part(called))


def _international(user: str) -> list[str]:
    compact = _SEPARATORS.sub("", user)
    if not _DIGITS.fullmatch(compact):
        return []
    forms = [compact]
    if not compact.startswith("+"):
        prefixes = [prefix for prefix in ("00", "011") if compact.startswith(prefix)]
        forms = [f"+{compact.removeprefix(prefix)}" for prefix in ("", *prefixes)]
    return [form for form in forms if _is_e164(form)]


def _national(digits: str, dids: Sequence[Did]) -> Did | None:
    # With a plus it is E.164, and no number of the trunk: its end must not match another number.
    ending = digits.removeprefix("0")
    if digits.startswith("+") or len(ending) < MIN_NATIONAL_DIGITS:
        return None
    matches = [did for did in dids if did.e164.endswith(ending)]
    return matches[0] if len(matches) == 1 else None


def user_part(called: str) -> str:
    """Return the user part of a To: `"Bob" <sip:+33…;npdi@host>` -> `+33…`; empty for a URI without
    user.
    """
    text = called.strip()
    if "<" in text:
        text = text.rpartition("<")[2].partition(">")[0]
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        text = rest
        if scheme.lower() != "tel" and "@" not in rest and not rest.startswith("+"):
            return ""
    text = text.partition("@")[0].partition(";")[0].partition("?")[0]
    return unquote(text.partition(":")[0]).strip()


def _is_e164(text: str) -> bool:
    try:
        parse_e164(text)
    except BadNumber:
        return False
    return True
