"""Phone numbers (E.164) and the forms in which providers write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from chalicelib.domain.failure import Failure

_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_SIP_USER = re.compile(r"sips?:(?P<user>[^@;>]+)(?:@|;|>|$)", re.ASCII | re.IGNORECASE)


BROWSER = "client:dashboard"
"""The caller of a test call: no number, and nothing that can come in a SIP message (providers write
`client:…` for their users' browsers and apps).
"""


class BadNumber(Failure, ValueError):
    """Not an E.164 number; the message describes the form."""

    code = "invalid"
    field = "number"


def parse_e164(text: str) -> str:
    """Parse a number: `+33 6 12-34 56 78` -> `+33612345678`. Raises BadNumber if it is no E.164
    number (ITU-T E.164).
    """
    compact = re.sub(r"[\s().-]", "", text)
    if not _E164.fullmatch(compact):
        shown = text if len(text) <= 32 else text[:32] + "…"
        raise BadNumber(
            f"{shown!r} is not an E.164 number: + and country code, 7 to 15 digits, "
            "as in +33612345678"
        )
    return compact


def called_number(address: str) -> str | None:
    """Return the E.164 number in a provider's To: `+1555…` or `sip:+1555…@host`; None if there is
    none.
    """
    user = _SIP_USER.match(address.strip())
    try:
        return parse_e164(user["user"] if user else address)
    except BadNumber:
        return None


E164 = Annotated[
    str,
    AfterValidator(parse_e164),
    WithJsonSchema({"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"}),
]
"""Type of a model's field: accepts the usual separators, though the API does not document them, and
holds the number without them."""
