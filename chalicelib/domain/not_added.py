"""The event of a call that a trunk brought for none of its numbers."""

from __future__ import annotations

import secrets

from chalicelib.domain.called_number import MIN_NATIONAL_DIGITS, international_forms, user_part
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.foreign_text import shown
from chalicelib.domain.instant import to_text
from chalicelib.domain.trunk import Trunk


def not_added_event(trunk: Trunk, to: str, from_: str, now: int) -> Event:
    """`number.not_added`: a call that the trunk brought was for none of its numbers.

    `to` and `from_` are whatever the carrier wrote.
    """
    to, from_ = shown(to), shown(from_)
    whole = user_part(to).startswith(("+", "00"))
    forms = international_forms(to) if whole else []
    remedy = (
        f'add it: POST /api/trunk/dids {{"e164": "{forms[0]}"}}'
        if forms
        else "add the number that it stands for, POST /api/trunk/dids, or have your carrier send "
        "the number called in E.164 form; this one is not clear (it counts if just one of the "
        f"trunk's numbers ends with it, in {MIN_NATIONAL_DIGITS} digits or more)"
    )
    return Event(
        event_id=event_id(
            trunk.trunk_id.removeprefix("trunk_"), "not_added", to_text(now), secrets.token_hex(4)
        ),
        type=EventType.NUMBER_NOT_ADDED,
        account_id=trunk.account_id,
        at=now,
        data={
            "trunk_id": trunk.trunk_id,
            "to": to,
            "from": from_,
            "detail": "A call through your trunk was rejected, since `to` is none of its numbers. "
            f"To take such calls {remedy}.",
        },
    )
