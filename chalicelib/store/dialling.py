"""The dials of accounts, and the numbers that declined their calls.

| item | pk | sk |
|---|---|---|
| outbound calls that are not over, dials of the last minute | `ACCOUNT#<id>` | `DIALLING` |
| a number that declined; expires by TTL | `ACCOUNT#<id>` | `DECLINED#<e164>` |

Both change only in the transactions that begin or end a call, or a transfer by REFER, so they are
never at odds with the calls: `begin`, `begin_referred` and `end` are those transactions' writes.
The ids are a string set, from which each end takes its own, in any order; a dial names the version
it has read, an end does not.
"""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.dial_rules import REDIAL_AFTER_DECLINE_S, RecentDials
from chalicelib.domain.instant import from_text, to_text
from chalicelib.store.table import Item, Table, Write, put, update


def begin(call: Call, before: RecentDials) -> Write:
    """Return the write that counts a new call. It fails if another dial came since `before` was
    read; calls that ended since only make room, so the decision is still right.
    """
    return _counted(call.account_id, before, call.created_at, call.call_id)


def begin_referred(account_id: str, before: RecentDials, now: int) -> Write:
    """Return the write that counts a dial of the far end's network, on which the account has no
    call. It fails as that of `begin` does.
    """
    return _counted(account_id, before, now, None)


def _counted(account_id: str, before: RecentDials, now: int, call_id: str | None) -> Write:
    values: Item = {
        ":new": before.version + 1,
        ":recent": [to_text(at) for at in (*before.recent_at(now), now)],
    }
    names = {"#version": "version", "#recent": "recent"}
    change = "SET #version = :new, #recent = :recent"
    if call_id is not None:
        change += " ADD #calls :call"
        names["#calls"], values[":call"] = "calls", {call_id}
    condition = "attribute_not_exists(#version)"
    if before.version:
        condition = "#version = :seen"
        values[":seen"] = before.version
    return update(
        f"ACCOUNT#{account_id}",
        "DIALLING",
        change,
        condition=condition,
        names=names,
        values=values,
    )


def end(call: Call) -> list[Write]:
    """Return the writes that end an outbound call's dial; none for any other transition."""
    if call.direction != "outbound" or not call.state.final:
        return []
    account = f"ACCOUNT#{call.account_id}"
    writes = [
        update(
            account,
            "DIALLING",
            "DELETE #calls :call",
            names={"#calls": "calls"},
            values={":call": {call.call_id}},
        )
    ]
    if call.state is CallState.DECLINED:
        at = call.updated_at
        item: Item = {
            "pk": account,
            "sk": f"DECLINED#{call.to}",
            "at": to_text(at),
            "call_id": call.call_id,
            "expires_at": at // 1000 + REDIAL_AFTER_DECLINE_S + 1,
        }
        writes.append(put(item))
    return writes


class DiallingStore:
    """The reads that a dial is decided by."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, account_id: str) -> RecentDials:
        """Return what the account is dialling now."""
        item = self._table.get(f"ACCOUNT#{account_id}", "DIALLING") or {}
        return RecentDials(
            calls=frozenset(item.get("calls", ())),
            recent=tuple(from_text(at) for at in item.get("recent", ())),
            version=item.get("version", 0),
        )

    def declined_at(self, account_id: str, e164: str) -> int | None:
        """Return when the number last declined a call of the account (epoch ms), as far as is
        known.
        """
        item = self._table.get(f"ACCOUNT#{account_id}", f"DECLINED#{e164}")
        return None if item is None else from_text(item["at"])
