"""Facts about the audio of calls in the table: what relays and gateways have told.

| item | pk | sk |
|---|---|---|
| the sums of a relay | `CALL#<id>#FACTS` | `RELAY#<its beginning, epoch ms>` |
| what the provider told | `CALL#<id>#FACTS` | `PROVIDER` |
| its changes of quality | `CALL#<id>#FACTS` | `QUALITY` |
| levels and marks of a minute | `CALL#<id>#LEVELS` | `<beginning of the relay>#<step>` |

They are items of their own: a report about quality never makes a transition wait.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

from chalicelib.domain.call_facts import (
    KEPT_S,
    MAX_QUALITY_EVENTS,
    MAX_RUNS,
    LevelPiece,
    ProviderFacts,
    Run,
)
from chalicelib.domain.event import Event
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Item, Table, put, update
from common.call_facts import FactsReport, Mark, Sums

_RELAY = "RELAY#"


class FactsStore:
    """Reads and writes of facts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, report: FactsReport, now: int) -> None:
        """Write a relay's report, unless a later one is there. Once or several times is the same.
        Raises Contention.
        """
        key = f"{report.began_ms:013d}"
        piece, expires = report.piece, now // 1000 + KEPT_S
        if piece.caller or piece.heard or piece.marks:
            self._table.write(
                put(
                    {
                        "pk": _levels(report.call_id),
                        "sk": f"{key}#{piece.step:06d}",
                        "caller": piece.caller,
                        "heard": piece.heard,
                        "marks": [[mark.type, mark.at_ms, mark.ms] for mark in piece.marks],
                        "expires_at": expires,
                    }
                )
            )
        sums = {name: value for name, value in asdict(report.sums).items() if value is not None}
        with suppress(ConditionFailed):
            self._table.write(
                put(
                    {
                        "pk": _facts(report.call_id),
                        "sk": f"{_RELAY}{key}",
                        "relay": report.relay,
                        "sequence": report.sequence,
                        "sums": sums,
                        "expires_at": expires,
                    },
                    "attribute_not_exists(pk) OR #sequence < :sequence",
                    {"#sequence": "sequence"},
                    {":sequence": report.sequence},
                )
            )

    def take_provider(self, call_id: str, facts: ProviderFacts, now: int) -> None:
        """Write what the provider told at the end of a call. Raises Contention."""
        item = {"pk": _facts(call_id), "sk": "PROVIDER", "expires_at": now // 1000 + KEPT_S}
        self._table.write(put({**item, **facts.known}))

    def quality(self, call_id: str) -> tuple[str, int]:
        """Return the call's quality as it was told last, `good` at first, and how many changes were
        told.
        """
        item = self._table.get(_facts(call_id), "QUALITY") or {}
        return item.get("quality", "good"), item.get("changes", 0)

    def change_quality(self, call_id: str, quality: str, before: int, event: Event) -> bool:
        """Write a change with its event. Return False if another one came since, or there were
        enough. Raises Contention.
        """
        if before >= MAX_QUALITY_EVENTS:
            return False
        change = update(
            _facts(call_id),
            "QUALITY",
            "SET #quality = :quality, #changes = :after, #expires = :expires",
            condition="#changes = :before" if before else "attribute_not_exists(#changes)",
            names={"#quality": "quality", "#changes": "changes", "#expires": "expires_at"},
            values={
                ":quality": quality,
                ":after": before + 1,
                ":expires": event.at // 1000 + KEPT_S,
                **({":before": before} if before else {}),
            },
        )
        try:
            self._table.write(change, outbox_put(event))
        except ConditionFailed:
            return False
        return True

    def of_call(self, call_id: str) -> tuple[list[Run], ProviderFacts]:
        """Return what relays have told, in the order in which they began, and the provider."""
        items, _ = self._table.query(_facts(call_id), newest_first=True, limit=MAX_RUNS + 2)
        runs = [_run(item) for item in reversed(items) if item["sk"].startswith(_RELAY)]
        provider = next((item for item in items if item["sk"] == "PROVIDER"), {})
        names = set(ProviderFacts.__dataclass_fields__)
        return runs, ProviderFacts(**{name: provider[name] for name in names & set(provider)})

    def levels(self, call_id: str) -> list[LevelPiece]:
        """Return all levels of a call."""
        return [_piece(item) for item in self._table.query_all(_levels(call_id))]


def _run(item: Item) -> Run:
    sums = item["sums"]
    histograms = {name: tuple(sums[name]) for name in ("added_latency", "clear_to_silence")}
    return Run(int(item["sk"].removeprefix(_RELAY)), Sums(**{**sums, **histograms}))


def _piece(item: Item) -> LevelPiece:
    began, _, step = item["sk"].partition("#")
    marks = tuple(Mark(kind, at_ms, ms) for kind, at_ms, ms in item["marks"])
    return LevelPiece(int(began), int(step), item["caller"], item["heard"], marks)


def _facts(call_id: str) -> str:
    return f"CALL#{call_id}#FACTS"


def _levels(call_id: str) -> str:
    return f"CALL#{call_id}#LEVELS"
