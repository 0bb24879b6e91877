"""Events about calls that did not come in: no place was free, or the number is not added."""

from __future__ import annotations

import secrets
from typing import Literal

from chalicelib.domain.did_matching import MIN_NATIONAL_DIGITS, international_forms, user_part
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.foreign_text import printable
from chalicelib.domain.instant import to_text
from chalicelib.domain.trunk import Trunk

Reason = Literal["max_concurrent_calls", "new_calls_per_minute"]
"""The limit that turned a call away: calls at a time, or new calls in a minute."""

_DETAIL: dict[Reason, str] = {
    "max_concurrent_calls": "Callers got a busy tone: {limit} calls of yours were not over, as "
    "many as your account may have at a time. Hang up calls that you do not need, or ask the "
    "operator for a higher max_concurrent_calls.",
    "new_calls_per_minute": "Callers got a busy tone: {limit} calls had come in within a minute, "
    "as many as your account may get. If that is not a flood, ask the operator for a higher "
    "rate_factor.",
}


def turned_away_event(  # noqa: PLR0913 - the fields of the event
    *, account_id: str, line: str, from_: str, reason: Reason, limit: int, count: int, now: int
) -> Event:
    """Make the event `call.turned_away`: `count` calls got a busy tone since the event before it,
    the last of them to `line`. `from_` is whatever the carrier wrote.
    """
    return Event(
        event_id=event_id(
            account_id.removeprefix("acc_"), "turned_away", to_text(now), secrets.token_hex(4)
        ),
        type=EventType.CALL_TURNED_AWAY,
        account_id=account_id,
        at=now,
        data={
            "line": line,
            "from": printable(from_),
            "reason": reason,
            "limit": limit,
            "count": count,
            "detail": _DETAIL[reason].format(limit=limit),
        },
    )


def not_added_event(trunk: Trunk, to: str, from_: str, now: int) -> Event:
    """Make the event `number.not_added`: a call that the trunk brought was for none of its numbers.

    `to` and `from_` are whatever the carrier wrote.
    """
    to, from_ = printable(to), printable(from_)
    whole = user_part(to).startswith(("+", "00"))
    forms = international_forms(to) if whole else []
    remedy = (
        f"add {forms[0]} to its numbers"
        if forms
        else "add the number that it stands for, or have your carrier send the number called in "
        "E.164 form; this one is not clear (it counts if just one of the trunk's numbers ends "
        f"with it, in {MIN_NATIONAL_DIGITS} digits or more)"
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


def shed_event(trunk: Trunk, count: int, at: int) -> Event:
    """Make the event `trunk.shed`: the gateway refused `count` calls that the trunk brought, the
    last of them about `at`. The same report makes the same event.
    """
    return Event(
        event_id=event_id(trunk.trunk_id.removeprefix("trunk_"), "shed", to_text(at)),
        type=EventType.TRUNK_SHED,
        account_id=trunk.account_id,
        at=at,
        data={
            "trunk_id": trunk.trunk_id,
            "reason": "overload",
            "count": count,
            "detail": "Callers were refused with 503, since too many calls waited for an answer of "
            "the service. Most carriers try another route then. If it lasts, tell the operator.",
        },
    )
