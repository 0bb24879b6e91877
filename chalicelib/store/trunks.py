"""Trunks and their numbers (DIDs) in the table.

| item | pk | sk |
|---|---|---|
| trunk, with its sealed password | `TRUNK#<trunk id>` | `TRUNK` |
| number | `TRUNK#<trunk id>` | `DID#<e164>` |
| the account's trunk | `ACCOUNT#<id>` | `TRUNK` |
| how often it was connected in an hour; goes by TTL | `ACCOUNT#<id>` | `CONNECTS#<hour>` |
| who has a number at a provider | `DID#twilio#<e164>` | `DID` |
| number told of as not added | `TRUNK#<trunk id>#NOT_ADDED` | `NUMBER#<as called>` |
| how many were told of in an hour | `TRUNK#<trunk id>#NOT_ADDED` | `HOUR#<hour>` |

Index `listing`: a provider's trunks by id. With the gateway a number is unique within its trunk
only, since the gateway says through which trunk a call came: nobody can squat on a number. Other
providers say just the number, which therefore belongs to the trunk that added it first.

A trunk's item leads: whoever finds none ignores what else is left of it. Each write to the trunk or
its set of numbers raises the item's `version`, which is how such writes see each other.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from chalicelib.domain.did import MAX_DIDS, Did
from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.domain.trunk import TRUNK_ID, Trunk
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put, update

LISTING = ("listing", "listing", "listing_order")

TRANSACTION_WRITES = 100
"""Writes of one transaction, DynamoDB's limit."""

MAX_MOVED = TRANSACTION_WRITES - 2
"""Numbers with which a trunk can change its provider; it and its event are written, too."""

TOLD_APART_MS = 3_600_000
"""A number called that is not added is told of once in this time."""

MAX_TOLD = 50
"""Different ones told of in an hour (of the clock): a scanner must not bury what else happens."""

MAX_CONNECTS = 20
"""Connects of an account in an hour (of the clock): each has the gateway knock at a carrier."""

_MARKER_KEPT_S = 2 * 3600
_KEY_ATTRIBUTES = frozenset({"pk", "sk", "listing", "listing_order"})
_RECORD_ATTRIBUTES = _KEY_ATTRIBUTES | {"sealed_password", "version", "dids_held"}


class TrunkExists(Exception):
    """The account has a trunk already."""


class TrunkChanged(Exception):
    """The trunk is not (any more) as it was read: read it again."""


class TooMany(Exception):
    """The trunk has as many numbers as it may."""


class Taken(Exception):
    """The number is added already: to this trunk, or (`elsewhere`) to another of its provider."""

    def __init__(self, e164: str, *, elsewhere: bool) -> None:
        super().__init__(e164)
        self.elsewhere = elsewhere


class NotAdded(Exception):
    """The trunk does not have the number (any more)."""


@dataclass(frozen=True)
class Record:
    """A trunk as its item has it: with the sealed password, and what the store counts."""

    trunk: Trunk
    sealed_password: str = field(repr=False)
    version: int = 1
    dids_held: int = 0

    def with_trunk(self, trunk: Trunk, sealed_password: str | None = None) -> Record:
        """The record after a change of its trunk."""
        sealed = self.sealed_password if sealed_password is None else sealed_password
        return Record(trunk, sealed, self.version + 1, self.dids_held)


class TrunkStore:
    """Reads and conditional writes of trunks and their numbers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, trunk_id: str) -> Trunk | None:
        """The trunk as it is now."""
        record = self.record(trunk_id)
        return None if record is None else record.trunk

    def record(self, trunk_id: str) -> Record | None:
        """The trunk with its sealed password and counters, as one write left them."""
        if not TRUNK_ID.fullmatch(trunk_id):
            return None
        item = self._table.get(f"TRUNK#{trunk_id}", "TRUNK")
        return None if item is None else _to_record(item)

    def of_account(self, account_id: str) -> Trunk | None:
        """The account's trunk, if it has one."""
        record = self.record_of_account(account_id)
        return None if record is None else record.trunk

    def record_of_account(self, account_id: str) -> Record | None:
        """The same as its item has it."""
        pointer = self._table.get(f"ACCOUNT#{account_id}", "TRUNK")
        return None if pointer is None else self.record(pointer["trunk_id"])

    def whole(self, trunk_id: str) -> tuple[Trunk, list[Did]] | None:
        """The trunk and its numbers by their digits, in one read."""
        if not TRUNK_ID.fullmatch(trunk_id):
            return None
        trunk, dids = None, []
        for item in self._table.query_all(f"TRUNK#{trunk_id}"):
            if item["sk"] == "TRUNK":
                trunk = _to_record(item).trunk
            else:
                dids.append(_to_did(item))
        return None if trunk is None else (trunk, dids)

    def dids(self, trunk_id: str) -> list[Did]:
        """The trunk's numbers; none if the trunk is not there (any more)."""
        found = self.whole(trunk_id)
        return [] if found is None else found[1]

    def did(self, trunk_id: str, e164: str) -> Did | None:
        """One number of a trunk that is there."""
        item = self._table.get(f"TRUNK#{trunk_id}", f"DID#{e164}")
        return None if item is None else _to_did(item)

    def did_at(self, provider: str, e164: str) -> Did | None:
        """The number at a provider that names numbers only, whichever trunk it belongs to."""
        pointer = self._table.get(*_pointer_key(provider, e164))
        trunk = self.get(pointer["trunk_id"]) if pointer else None
        if trunk is None or trunk.provider != provider:
            return None
        return self.did(trunk.trunk_id, e164)

    def page(self, provider: str, after: str | None, limit: int) -> tuple[list[Trunk], str | None]:
        """A provider's trunks by id (as the index knows), and the id to go on after, if any."""
        items, more = self._table.query(
            f"TRUNKS#{provider}", index=LISTING, sk_above=after, limit=limit
        )
        return [_to_record(item).trunk for item in items], more["listing_order"] if more else None

    def count_connect(self, account_id: str, now: int) -> bool:
        """Count one more connect of the account. False if it has had `MAX_CONNECTS` this hour."""
        try:
            self._table.write(
                update(
                    f"ACCOUNT#{account_id}",
                    f"CONNECTS#{now // 3_600_000}",
                    "SET #expires = :expires ADD #connects :one",
                    condition="attribute_not_exists(#connects) OR #connects < :max",
                    names={"#expires": "expires_at", "#connects": "connects"},
                    values={
                        ":expires": now // 1000 + _MARKER_KEPT_S,
                        ":one": 1,
                        ":max": MAX_CONNECTS,
                    },
                )
            )
        except ConditionFailed:
            return False
        return True

    def create(self, record: Record, event: Event) -> None:
        """An account's trunk. TrunkExists, Contention."""
        trunk = record.trunk
        pointer = {
            "pk": f"ACCOUNT#{trunk.account_id}",
            "sk": "TRUNK",
            "trunk_id": trunk.trunk_id,
        }
        try:
            self._table.write(
                put(pointer, "attribute_not_exists(pk)"),
                put(_to_item(record), "attribute_not_exists(pk)"),
                outbox_put(event),
            )
        except ConditionFailed:
            raise TrunkExists from None

    def change(self, before: Record, trunk: Trunk, sealed_password: str, event: Event) -> None:
        """The next revision. TrunkChanged, Contention. With another provider, which has to know
        its numbers, also Taken, and TooMany for more than `MAX_MOVED`.
        """
        claims: dict[str, Write] = {}
        releases: list[Write] = []
        if trunk.provider != before.trunk.provider:
            # Read after the record: what is added or removed from then on changes the version.
            e164s = [did.e164 for did in self.dids(trunk.trunk_id)]
            if len(e164s) > MAX_MOVED:
                raise TooMany
            claims = {e164: claim for e164 in e164s for claim in self._claims(trunk, e164)}
            releases = [each for e164 in e164s for each in _releases(before.trunk, e164)]
        try:
            self._table.write(
                *claims.values(),
                _put_next(before, before.with_trunk(trunk, sealed_password)),
                *releases,
                outbox_put(event),
            )
        except ConditionFailed as lost:
            for e164, failed in zip(claims, lost.failed, strict=False):
                if failed:
                    raise Taken(e164, elsewhere=True) from None
            raise TrunkChanged from None

    def report(self, before: Record, after: Trunk, event: Event | None) -> None:
        """How the trunk is doing. TrunkChanged, Contention."""
        events = [] if event is None else [outbox_put(event)]
        try:
            self._table.write(_put_next(before, before.with_trunk(after)), *events)
        except ConditionFailed:
            raise TrunkChanged from None

    def remove(self, before: Record, event: Event) -> None:
        """Make the trunk gone, for everybody and at once. TrunkChanged, Contention."""
        trunk = before.trunk
        key, condition = (f"TRUNK#{trunk.trunk_id}", "TRUNK"), "#version = :version"
        names, values = {"#version": "version"}, {":version": before.version}
        try:
            self._table.write(
                delete(*key, condition, names, values),
                delete(f"ACCOUNT#{trunk.account_id}", "TRUNK"),
                outbox_put(event),
            )
        except ConditionFailed:
            raise TrunkChanged from None

    def clear_away(self, trunk: Trunk) -> None:
        """What is left of a trunk that is gone. Until then nobody can reach it, and its numbers can
        be added elsewhere.
        """
        # Nobody adds to it any more: this reads all there are.
        e164s = [item["e164"] for item in self._table.query_all(f"TRUNK#{trunk.trunk_id}")]
        for e164 in e164s:
            for release in _releases(trunk, e164):
                with contextlib.suppress(ConditionFailed):  # somebody else's by now
                    self._table.write(release)
        for start in range(0, len(e164s), TRANSACTION_WRITES):
            some = e164s[start : start + TRANSACTION_WRITES]
            self._table.write(*(delete(f"TRUNK#{trunk.trunk_id}", f"DID#{e}") for e in some))

    def add_did(self, trunk: Trunk, did: Did, event: Event) -> None:
        """One more number. TooMany, Taken, TrunkChanged, Contention."""
        try:
            self._table.write(
                _count(trunk, 1, "#held < :max", {":max": MAX_DIDS}),
                put(_did_item(did), "attribute_not_exists(pk)"),
                outbox_put(event),
                *self._claims(trunk, did.e164),
            )
        except ConditionFailed as lost:
            if lost.failed[1]:
                raise Taken(did.e164, elsewhere=False) from None
            if lost.failed[0]:
                item = lost.items[0]
                full = item is not None and item["dids_held"] >= MAX_DIDS
                raise (TooMany if full else TrunkChanged) from None
            raise Taken(did.e164, elsewhere=True) from None

    def change_did(self, trunk_id: str, e164: str, changes: Item) -> Did:
        """Set attributes of a number; the number afterwards. NotAdded if it is not there."""
        try:
            self._table.write(
                update(
                    f"TRUNK#{trunk_id}",
                    f"DID#{e164}",
                    "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                    condition="attribute_exists(pk)",
                    names={f"#{name}": name for name in changes},
                    values={f":{name}": value for name, value in changes.items()},
                )
            )
        except ConditionFailed:
            raise NotAdded from None
        did = self.did(trunk_id, e164)
        if did is None:
            raise NotAdded
        return did

    def note_called(self, trunk_id: str, e164: str, now: int) -> None:
        """Set when a number was first called, unless it is set or the number not there (any more).
        Contention.
        """
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                update(
                    f"TRUNK#{trunk_id}",
                    f"DID#{e164}",
                    "SET #called = :now",
                    condition="attribute_exists(pk) AND attribute_not_exists(#called)",
                    names={"#called": "called_at"},
                    values={":now": to_text(now)},
                )
            )

    def remove_did(self, trunk: Trunk, e164: str, event: Event) -> None:
        """One number less. NotAdded, TrunkChanged, Contention."""
        try:
            self._table.write(
                _count(trunk, -1, "#held > :zero", {":zero": 0}),
                delete(f"TRUNK#{trunk.trunk_id}", f"DID#{e164}", "attribute_exists(pk)"),
                outbox_put(event),
                *_releases(trunk, e164),
            )
        except ConditionFailed as lost:
            raise (NotAdded if lost.failed[1] else TrunkChanged) from None

    def tell_once(self, trunk_id: str, called: str, now: int, event: Event) -> bool:
        """Write an event about a call to `called`, a number that is not added. False if one was
        written within `TOLD_APART_MS`, or `MAX_TOLD` in this hour. Contention.
        """
        pk, hour = f"TRUNK#{trunk_id}#NOT_ADDED", now // 3_600_000
        expires = now // 1000 + _MARKER_KEPT_S
        marker = {
            "pk": pk,
            "sk": f"NUMBER#{called}",
            "until": to_text(now + TOLD_APART_MS),
            "expires_at": expires,
        }
        try:
            self._table.write(
                # Items outlive their TTL by hours at times.
                put(
                    marker,
                    "attribute_not_exists(pk) OR #until <= :now",
                    {"#until": "until"},
                    {":now": to_text(now)},
                ),
                update(
                    pk,
                    f"HOUR#{hour}",
                    "SET #expires = :expires ADD #told :one",
                    condition="attribute_not_exists(#told) OR #told < :max",
                    names={"#expires": "expires_at", "#told": "told"},
                    values={":expires": expires, ":one": 1, ":max": MAX_TOLD},
                ),
                outbox_put(event),
            )
        except ConditionFailed:
            return False
        return True

    def _claims(self, trunk: Trunk, e164: str) -> list[Write]:
        """The write that makes a number this trunk's at its provider, if the provider needs it."""
        if trunk.provider == "gateway":
            return []
        pk, sk = _pointer_key(trunk.provider, e164)
        condition, names, values = "attribute_not_exists(pk)", {}, {}
        there = self._table.get(pk, sk)
        if there is not None and self.get(there["trunk_id"]) is None:
            # Left by a trunk that is gone, and ids do not come back: it holds nothing.
            condition += " OR #trunk = :gone"
            names, values = {"#trunk": "trunk_id"}, {":gone": there["trunk_id"]}
        return [put({"pk": pk, "sk": sk, "trunk_id": trunk.trunk_id}, condition, names, values)]


def _releases(trunk: Trunk, e164: str) -> list[Write]:
    """The write that gives a number free at the trunk's provider, if the provider needs it."""
    if trunk.provider == "gateway":
        return []
    return [
        delete(
            *_pointer_key(trunk.provider, e164),
            "attribute_not_exists(pk) OR #trunk = :ours",
            {"#trunk": "trunk_id"},
            {":ours": trunk.trunk_id},
        )
    ]


def _pointer_key(provider: str, e164: str) -> tuple[str, str]:
    return f"DID#{provider}#{e164}", "DID"


def _count(trunk: Trunk, step: int, condition: str, values: Item) -> Write:
    """Count a number on its trunk, if that is there and still with the same provider."""
    return update(
        f"TRUNK#{trunk.trunk_id}",
        "TRUNK",
        "ADD #held :step, #version :one",
        condition=f"#provider = :provider AND {condition}",
        names={"#held": "dids_held", "#version": "version", "#provider": "provider"},
        values={":step": step, ":one": 1, ":provider": trunk.provider, **values},
    )


def _put_next(before: Record, after: Record) -> Write:
    return put(
        _to_item(after),
        "#version = :version",
        {"#version": "version"},
        {":version": before.version},
    )


def _to_item(record: Record) -> Item:
    trunk = record.trunk
    return {
        "pk": f"TRUNK#{trunk.trunk_id}",
        "sk": "TRUNK",
        "listing": f"TRUNKS#{trunk.provider}",
        "listing_order": trunk.trunk_id,
        "sealed_password": record.sealed_password,
        "version": record.version,
        "dids_held": record.dids_held,
        **trunk.model_dump(mode="json", exclude_none=True),
    }


def _to_record(item: Item) -> Record:
    trunk = Trunk.model_validate({k: v for k, v in item.items() if k not in _RECORD_ATTRIBUTES})
    return Record(trunk, item["sealed_password"], item["version"], item["dids_held"])


def _did_item(did: Did) -> Item:
    return {
        "pk": f"TRUNK#{did.trunk_id}",
        "sk": f"DID#{did.e164}",
        **did.model_dump(mode="json", exclude_none=True),
    }


def _to_did(item: Item) -> Did:
    return Did.model_validate({k: v for k, v in item.items() if k not in _KEY_ATTRIBUTES})
