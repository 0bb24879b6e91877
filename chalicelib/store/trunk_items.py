"""A trunk and its numbers as items of the table, and back.

| item | pk | sk |
|---|---|---|
| trunk, with its sealed password, if it has one | `TRUNK#<trunk id>` | `TRUNK` |
| number | `TRUNK#<trunk id>` | `DID#<e164>` |

Without a trunk's item, all that is left of the trunk is ignored. Each write to the trunk or to its
set of numbers raises the item's `version`, so that concurrent writes notice each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.domain.did import Did
from chalicelib.domain.trunk import TRUNK_ID, Trunk
from chalicelib.store.table import Item, Table

_KEY_ATTRIBUTES = frozenset({"pk", "sk", "listing", "listing_order"})
_RECORD_ATTRIBUTES = _KEY_ATTRIBUTES | {"sealed_password", "version", "dids_held"}


class TrunkChanged(Exception):
    """The trunk is not (any more) as it was read: read it again."""


@dataclass(frozen=True)
class Record:
    """A trunk with its sealed password (None: it has none), and the store's counters."""

    trunk: Trunk
    sealed_password: str | None = field(repr=False)
    version: int = 1
    dids_held: int = 0

    def with_trunk(self, trunk: Trunk) -> Record:
        """Return the record after a change of its trunk; the password stays."""
        return self.with_settings(trunk, self.sealed_password)

    def with_settings(self, trunk: Trunk, sealed_password: str | None) -> Record:
        """Return the record after a change of its trunk and its password."""
        return Record(trunk, sealed_password, self.version + 1, self.dids_held)


def read_record(table: Table, trunk_id: str) -> Record | None:
    """Return the trunk with its sealed password and counters, as one write left them."""
    if not TRUNK_ID.fullmatch(trunk_id):
        return None
    item = table.get(f"TRUNK#{trunk_id}", "TRUNK")
    return None if item is None else to_record(item)


def trunk_item(record: Record) -> Item:
    """Return the item of a trunk."""
    trunk = record.trunk
    sealed = {} if record.sealed_password is None else {"sealed_password": record.sealed_password}
    return {
        "pk": f"TRUNK#{trunk.trunk_id}",
        "sk": "TRUNK",
        "listing": f"TRUNKS#{trunk.provider}",
        "listing_order": trunk.trunk_id,
        **sealed,
        "version": record.version,
        "dids_held": record.dids_held,
        **trunk.model_dump(mode="json", exclude_none=True),
    }


def to_record(item: Item) -> Record:
    """Read a trunk from its item."""
    trunk = Trunk.model_validate({k: v for k, v in item.items() if k not in _RECORD_ATTRIBUTES})
    return Record(trunk, item.get("sealed_password"), item["version"], item["dids_held"])


def did_item(did: Did) -> Item:
    """Return the item of a number."""
    return {
        "pk": f"TRUNK#{did.trunk_id}",
        "sk": f"DID#{did.e164}",
        **did.model_dump(mode="json", exclude_none=True),
    }


def to_did(item: Item) -> Did:
    """Read a number from its item."""
    return Did.model_validate({k: v for k, v in item.items() if k not in _KEY_ATTRIBUTES})
