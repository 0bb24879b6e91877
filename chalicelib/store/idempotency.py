"""What was asked with which Idempotency-Key, and what the answer was.

| item | pk | sk |
|---|---|---|
| a request; goes by TTL | `ACCOUNT#<id>#ONCE` | SHA-256 of the key |

Who works on the request holds its item (`holder`) until `held_until`; whoever takes over from a
holder that died keeps its `seed`. The key is not in the item: with it the answer is sealed.
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
    """A request under a key. `seed` is what the ids of things it makes are derived from; `answer`
    (sealed) is there once it has been answered; `takeovers` counts holders that died. Of the times
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
    """Somebody has the key; `claim` is how (None: it just went)."""

    def __init__(self, claim: Claim | None) -> None:
        super().__init__("claimed")
        self.claim = claim


class IdempotencyStore:
    """Conditional writes of claims."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, claim: Claim, now: int) -> None:
        """Hold a key that nobody has, or whose time is over. Claimed."""
        self._put(
            claim,
            "attribute_not_exists(pk) OR #expires <= :now",
            {"#expires": "expires_at"},
            {":now": now // 1000},
        )

    def take_over(self, dead: Claim, claim: Claim) -> None:
        """Hold the key in place of a holder that died. Claimed if another did."""
        self._put(claim, _HELD, _HELD_NAMES, {":holder": dead.holder})

    def answer(self, claim: Claim, sealed: str) -> None:
        """Keep the answer, unless another has taken over meanwhile."""
        with contextlib.suppress(ConditionFailed):
            self._table.write(self._held_put(replace(claim, answer=sealed)))

    def lapse(self, claim: Claim) -> None:
        """Let go of the key, which goes on standing for its request."""
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
            there = lost.items[0]
            raise Claimed(_to_claim(claim, there) if there else None) from None


def _place(claim: Claim) -> tuple[str, str]:
    return f"ACCOUNT#{claim.account_id}#ONCE", hashlib.sha256(claim.key.encode()).hexdigest()


_KEPT = ("fingerprint", "seed", "holder", "held_until", "expires_at", "takeovers", "answer")


def _to_item(claim: Claim) -> Item:
    pk, sk = _place(claim)
    kept = {name: getattr(claim, name) for name in _KEPT}
    return {"pk": pk, "sk": sk, **{k: v for k, v in kept.items() if v is not None}}


def _to_claim(asked: Claim, item: Item) -> Claim:
    kept = {name: item[name] for name in _KEPT if name in item}
    return Claim(account_id=asked.account_id, key=asked.key, **kept)
