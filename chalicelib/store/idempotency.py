"""Requests by their Idempotency-Key, and the answers to them.

| item | pk | sk |
|---|---|---|
| a request; expires by TTL | `ACCOUNT#<id>#ONCE` | SHA-256 of the key |

The process that works on a request holds its item (`holder`) until `held_until`; a process that
takes over from a holder that died keeps its `seed`. The key is not in the item: the answer is
sealed with it.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace

from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put

_HELD = "#holder = :holder"
_HELD_NAMES = {"#holder": "holder"}


@dataclass(frozen=True)
class Claim:
    """A request under a key. The ids of things that it makes are derived from `seed`; `answer`
    (sealed) is set once it has been answered; `takeovers` counts holders that died. Of the times
    `held_until` is epoch ms, `expires_at` epoch s.
    """

    account_id: str
    key: str = field(repr=False)
    fingerprint: str
    seed: str
    holder: str
    held_until: int
    expires_at: int
    takeovers: int = 0
    answer: str | None = field(default=None, repr=False)


class Claimed(Exception):
    """Another request holds the key; `claim` is its claim (None: it was deleted just now)."""

    def __init__(self, claim: Claim | None) -> None:
        super().__init__("claimed")
        self.claim = claim


class IdempotencyStore:
    """Conditional writes of claims."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, claim: Claim, now: int) -> None:
        """Take hold of a key that nobody has used, or that has expired. Raises Claimed."""
        self._put(
            claim,
            "attribute_not_exists(pk) OR #expires <= :now",
            {"#expires": "expires_at"},
            {":now": now // 1000},
        )

    def take_over(self, dead: Claim, claim: Claim) -> None:
        """Take hold of the key in place of a holder that died. Raises Claimed if another was
        faster.
        """
        self._put(claim, _HELD, _HELD_NAMES, {":holder": dead.holder})

    def answer(self, claim: Claim, sealed: str) -> None:
        """Keep the answer, unless another has taken over meanwhile."""
        with contextlib.suppress(ConditionFailed):
            self._table.write(self._held_put(replace(claim, answer=sealed)))

    def lapse(self, claim: Claim) -> None:
        """End the hold on a key at once; the key still belongs to its request."""
        with contextlib.suppress(ConditionFailed):
            self._table.write(self._held_put(replace(claim, held_until=0)))

    def release(self, claim: Claim) -> None:
        """Forget the request."""
        pk, sk = _place(claim)
        with contextlib.suppress(ConditionFailed):
            self._table.write(delete(pk, sk, _HELD, _HELD_NAMES, {":holder": claim.holder}))

    def _held_put(self, claim: Claim) -> Write:
        return put(_to_item(claim), _HELD, _HELD_NAMES, {":holder": claim.holder})

    def _put(self, claim: Claim, condition: str, names: dict[str, str], values: Item) -> None:
        try:
            self._table.write(put(_to_item(claim), condition, names, values))
        except ConditionFailed as lost:
            item = lost.items[0]
            raise Claimed(_to_claim(claim, item) if item else None) from None


def _place(claim: Claim) -> tuple[str, str]:
    return f"ACCOUNT#{claim.account_id}#ONCE", hashlib.sha256(claim.key.encode()).hexdigest()


_KEPT = ("fingerprint", "seed", "holder", "held_until", "expires_at", "takeovers", "answer")


def _to_item(claim: Claim) -> Item:
    pk, sk = _place(claim)
    kept = {name: getattr(claim, name) for name in _KEPT}
    return {"pk": pk, "sk": sk, **{k: v for k, v in kept.items() if v is not None}}


def _to_claim(request: Claim, item: Item) -> Claim:
    kept = {name: item[name] for name in _KEPT if name in item}
    return Claim(account_id=request.account_id, key=request.key, **kept)
