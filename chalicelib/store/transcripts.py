"""Transcripts of hosted calls in the table, and the state of their speech.

| item | pk | sk |
|---|---|---|
| an entry | `CALL#<id>#TRANSCRIPT` | `<sequence, 16 digits>` |
| the state: what is reported, open and spoken | `CALL#<id>` | `VOICE` |

A report's entries, its events and the state are one transaction, conditional on the state that was
read. So a report that comes twice is written once, and two at once are both written. A request to
speak adds its utterance to the state without reading it, and no report overwrites that.
"""

from __future__ import annotations

from contextlib import suppress

from chalicelib.domain.transcript import KEPT_S, MAX_CHARACTERS, MAX_OPEN, Entry, Speech
from chalicelib.domain.voice_report import Taken
from chalicelib.store.contention import tries
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Contention, Table, Write, delete, put, update

_BATCH = 100
"""Writes of one transaction."""


class SpeechChanged(Exception):
    """Another report was taken since the state was read."""


class TooManyOpen(Exception):
    """As many utterances of the call are not over as may be."""


class TooManyCharacters(Exception):
    """The call has had as many characters spoken as it may."""


class TranscriptStore:
    """Reads and conditional writes of transcripts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def speech(self, call_id: str) -> Speech:
        """Return the state of the call's speech."""
        item = self._table.get(*_key(call_id)) or {}
        return Speech(
            version=item.get("version", 0),
            reports=item.get("reports", {}),
            entries=item.get("entries", 0),
            size=item.get("size", 0),
            last=item.get("last", 0),
            open=frozenset(item.get("open", ())),
            lost=frozenset(item.get("lost", ())),
            characters=item.get("characters", 0),
            forgotten=item.get("forgotten", 0),
            resumed_by=item.get("resumed_by"),
        )

    def take(self, call_id: str, before: Speech, taken: Taken, now: int) -> None:
        """Write what a report leads to. Raises SpeechChanged, Contention."""
        expires = now // 1000 + KEPT_S
        writes = [_change(call_id, before, taken, expires)]
        for entry in taken.entries:
            shown = entry.model_dump(exclude_none=True)
            writes.append(put({**_place(call_id, entry), **shown, "expires_at": expires}))
        try:
            self._table.write(*writes, *map(outbox_put, taken.events))
        except ConditionFailed:
            raise SpeechChanged from None

    def open(self, call_id: str, utterance_id: str, characters: int, now: int) -> None:
        """Note an utterance that is to be spoken. If it comes again, its characters are counted
        again, but it is open once. Raises TooManyOpen, TooManyCharacters, Contention.
        """
        names = {"#open": "open", "#characters": "characters", "#expires": "expires_at"}
        room = "attribute_not_exists(#open) OR size(#open) < :most OR contains(#open, :id)"
        spoken = "attribute_not_exists(#characters) OR #characters <= :least"
        try:
            self._table.write(
                update(
                    *_key(call_id),
                    "SET #expires = :expires ADD #open :ids, #characters :more",
                    condition=f"({room}) AND ({spoken})",
                    names=names,
                    values={
                        ":most": MAX_OPEN,
                        ":id": utterance_id,
                        ":ids": {utterance_id},
                        ":more": characters,
                        ":least": MAX_CHARACTERS - characters,
                        ":expires": now // 1000 + KEPT_S,
                    },
                )
            )
        except ConditionFailed as lost:
            item = lost.items[0] or {}
            full = item.get("characters", 0) > MAX_CHARACTERS - characters
            raise (TooManyCharacters if full else TooManyOpen) from None

    def take_back(self, call_id: str, utterance_id: str, characters: int) -> None:
        """Forget an utterance that was refused. Raises Contention."""
        self._table.write(
            update(
                *_key(call_id),
                "DELETE #open :ids ADD #characters :less",
                names={"#open": "open", "#characters": "characters"},
                values={":ids": {utterance_id}, ":less": -characters},
            )
        )

    def close_all(self, call_id: str) -> None:
        """Note that no utterance is open: all were cleared. Raises Contention."""
        write = update(
            *_key(call_id),
            "REMOVE #open",
            # Without it, an item would be made that no TTL deletes.
            condition="attribute_exists(pk)",
            names={"#open": "open"},
        )
        with suppress(ConditionFailed):
            self._table.write(write)

    def entries(self, call_id: str, after: int, limit: int) -> list[Entry]:
        """Return entries above a sequence, in order."""
        items, _ = self._table.query(_pk(call_id), sk_above=f"{after:016d}", limit=limit)
        return [Entry.model_validate(item) for item in items]

    def newest(self, call_id: str, limit: int) -> list[Entry]:
        """Return the last entries, in order."""
        items, _ = self._table.query(_pk(call_id), newest_first=True, limit=limit)
        return [Entry.model_validate(item) for item in reversed(items)]

    def delete(self, call_id: str, up_to: int, now: int) -> int:
        """Delete all entries that there are; return how many. `up_to`: the sequence that entries of
        this moment have. Raises Contention.
        """
        names = {"#forgotten": "forgotten", "#expires": "expires_at"}
        noted = "SET #forgotten = :up_to, #expires = :expires"
        values = {":up_to": up_to, ":expires": now // 1000 + KEPT_S}
        self._write_all([update(*_key(call_id), noted, names=names, values=values)])
        found = [delete(item["pk"], item["sk"]) for item in self._table.query_all(_pk(call_id))]
        for start in range(0, len(found), _BATCH):
            self._write_all(found[start : start + _BATCH])
        return len(found)

    def _write_all(self, writes: list[Write]) -> None:
        for _ in tries():
            try:
                self._table.write(*writes)
                return
            except Contention:
                continue
        raise Contention


def _change(call_id: str, before: Speech, taken: Taken, expires: int) -> Write:
    after = taken.speech
    values = {
        "version": after.version,
        "reports": after.reports,
        "entries": after.entries,
        "size": after.size,
        "last": after.last,
        "expires_at": expires,
        **({"lost": set(after.lost)} if after.lost else {}),
        **({"resumed_by": after.resumed_by} if after.resumed_by else {}),
    }
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    names = {f"#{name}": name for name in (*values, "version")}
    written = {f":{name}": value for name, value in values.items()}
    if taken.closed:
        expression += " DELETE #open :closed"
        names["#open"], written[":closed"] = "open", set(taken.closed)
    if before.version:
        written[":was"] = before.version
    return update(
        *_key(call_id),
        expression,
        condition="#version = :was" if before.version else "attribute_not_exists(#version)",
        names=names,
        values=written,
    )


def _key(call_id: str) -> tuple[str, str]:
    return f"CALL#{call_id}", "VOICE"


def _pk(call_id: str) -> str:
    return f"CALL#{call_id}#TRANSCRIPT"


def _place(call_id: str, entry: Entry) -> dict[str, str]:
    return {"pk": _pk(call_id), "sk": f"{entry.sequence:016d}"}
