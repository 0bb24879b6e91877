"""String identifiers in Twilio's form. They are not stored here.

If there are several gateway processes, the first two digits of a call's SID say which one has the
call, so that the front finds it without a table. If there are several gateways, the next four stand
for the gateway's name (common/gateway_tag.py), so that the application finds it.
"""

from __future__ import annotations

import re
import secrets

_CALL_SID = re.compile(r"CA([0-9a-f]{2})[0-9a-f]{30}")


def new_sid(prefix: str, process: int | None = None, tag: str = "") -> str:
    """Return a new SID: `prefix` (CA call, MZ stream) and 32 hexadecimal digits.

    The first two of them are the number of the process, if one is given; then comes the tag of the
    gateway, if it has one.
    """
    first = secrets.token_hex(1) if process is None else f"{process:02x}"
    return prefix + first + tag + secrets.token_hex(15 - len(tag) // 2)


def process_of_call(sid: str) -> int | None:
    """Return the number of the process that made a call's SID; None if it is no such SID."""
    found = _CALL_SID.fullmatch(sid)
    return int(found[1], 16) if found else None
