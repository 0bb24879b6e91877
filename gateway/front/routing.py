"""The keys by which requests find their process. No I/O.

Whatever counts together has the same key: a trunk's calls, the calls to a number, the uses of a
ticket.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from multidict import MultiMapping

from common import call_ticket

_USER = re.compile(r"sips?:([^@;?]*)", re.IGNORECASE)
_FIELDS = 100


def of_dial(form: bytes) -> tuple[str, bool]:
    """Return the key of `POST …/Calls.json`, and whether it is a trunk's.

    A call by a trunk belongs to the trunk's process, another one to that of the called party's
    socket. A form that cannot be read has a key, too: its process says what is wrong.
    """
    try:
        fields = parse_qs(form.decode("latin-1"), max_num_fields=_FIELDS)
    except ValueError:
        return "", False
    if trunk := fields.get("Byoc", [""])[0]:
        return trunk, True
    return of_party(fields.get("To", [""])[0]), False


def of_socket(query: MultiMapping[str]) -> str:
    """Return the key of a party's socket: by its ticket, the number that it calls, or its own."""
    if "ticket" in query:
        return call_ticket.subject(query["ticket"])
    return of_party(query.get("number") or query.get("to") or "")


def of_party(text: str) -> str:
    """Return the key of a number or SIP URI: its user part."""
    text = text.replace(" ", "+", 1) if text.startswith(" ") else text
    found = _USER.match(text)
    return found[1] if found else text
