"""Do a request that is sent again with its Idempotency-Key only once, and answer it the same way.

The first request holds the key while it is worked on. An answer of success is kept, sealed. A
refusal changed nothing: its claim is deleted, and the request can be sent again. If the holder
dies, or ends in an error of ours, it is not known how far it came. Then an operation that derives
the ids of what it makes from the claim's seed is done again, and finds what was made; any other
answers that its outcome is unknown.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.failure import Failure
from chalicelib.domain.idempotency import CLAIM_MS, KEPT_S, check_key
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.idempotency import Claim, Claimed
from chalicelib.store.table import Contention, TableUnavailable
from chalicelib.store.vault import BadSeal, DerivedVault, Vault, Vaults
from common.rotation import accepted

log = logging.getLogger(__name__)

CLAIM_TRIES = 5


class InFlight(Failure):
    """The first request with the key is under way."""

    code = "idempotency_in_flight"

    retry_after_s = 1


class KeyReused(Failure):
    """The key was used for another request."""

    code = "idempotency_key_reused"


class OutcomeUnknown(Failure):
    """The first request with the key ended in the middle."""

    code = "idempotency_unknown"


@dataclass(frozen=True)
class KeptAnswer:
    """An answer that is kept: the status, the content (JSON), and the path of what was created."""

    status: int
    content: Any
    location: str | None


@dataclass(frozen=True)
class Request:
    """A request under a key. `resumes`: when it is done again, it finds by the seed what it made.

    `fingerprints`: its own, and those that it had before a secret was rotated. `keeps`: what of an
    answer's content is kept, if not all of it.
    """

    account_id: str
    key: str
    fingerprints: list[str]
    resumes: bool
    keeps: Callable[[Any], Any] = lambda content: content


def once(
    deps: Dependencies,
    request: Request,
    act: Callable[[str], KeptAnswer],
    changed_nothing: Callable[[Exception], bool],
) -> tuple[KeptAnswer, bool]:
    """Run `act(seed)` once for a key; return its answer, and whether it is one kept from before.
    Raises InFlight, KeyReused, OutcomeUnknown, BadIdempotencyKey, and what `act` raises.
    `changed_nothing` tells whether such an error has left everything as it was.
    """
    check_key(request.key)
    claim = _claim(deps, request)
    if isinstance(claim, KeptAnswer):
        return claim, True
    try:
        kept = act(claim.seed)
    except TableUnavailable:
        # It is unknown what was written, and another write would wait as long: the claim expires.
        raise
    except Exception as error:
        _give_up(deps, claim, forget=changed_nothing(error))
        raise
    try:
        repeated = replace(kept, content=request.keeps(kept.content))
        deps.stores.idempotency.answer(claim, _seal(deps, claim, repeated))
    except Exception:
        # The request is done and will be answered; only a repetition has no kept answer.
        log.exception("answer not kept", extra={"account_id": claim.account_id})
    return kept, False


def _claim(deps: Dependencies, request: Request) -> Claim | KeptAnswer:
    for _ in tries(CLAIM_TRIES):
        claim = _new_claim(deps, request)
        try:
            deps.stores.idempotency.claim(claim, deps.now())
            return claim
        except Claimed as taken:
            current = taken.claim
        if current is None:
            continue
        if current.holder == claim.holder:
            # Our own write: AWS's library repeated it after its first answer was lost.
            return claim
        kept = _kept_answer(deps, request, current)
        if kept:
            return kept
        try:
            return _take_over(deps, current)
        except Claimed:
            continue
    raise Contention


def _kept_answer(deps: Dependencies, request: Request, current: Claim) -> KeptAnswer | None:
    """Return the kept answer to the first request; None if that request died and can be done
    again.
    """
    if current.fingerprint not in request.fingerprints:
        raise KeyReused
    if current.answer is not None:
        return _open(deps, current, current.answer)
    if current.held_until > deps.now():
        raise InFlight
    if not request.resumes:
        raise OutcomeUnknown
    return None


def _new_claim(deps: Dependencies, request: Request) -> Claim:
    now = deps.now()
    return Claim(
        account_id=request.account_id,
        key=request.key,
        fingerprint=request.fingerprints[0],
        seed=secrets.token_hex(16),
        holder=secrets.token_hex(8),
        held_until=now + CLAIM_MS,
        expires_at=now // 1000 + KEPT_S,
    )


def _take_over(deps: Dependencies, dead: Claim) -> Claim:
    """Take over the claim of a holder that died, with its seed; return it."""
    claim = replace(
        dead,
        holder=secrets.token_hex(8),
        held_until=deps.now() + CLAIM_MS,
        takeovers=dead.takeovers + 1,
    )
    deps.stores.idempotency.take_over(dead, claim)
    return claim


def _give_up(deps: Dependencies, claim: Claim, *, forget: bool) -> None:
    """Give up a claim after a failure. A claim that was taken over is never forgotten: its former
    holder may only be slow, and the next request must find the seed.
    """
    try:
        if forget and not claim.takeovers:
            deps.stores.idempotency.release(claim)
        else:
            deps.stores.idempotency.lapse(claim)
    except Exception:
        # It expires by itself.
        log.exception("claim not let go of", extra={"account_id": claim.account_id})


def _seal(deps: Dependencies, claim: Claim, kept: KeptAnswer) -> str:
    text = json.dumps([kept.status, kept.content, kept.location], separators=(",", ":"))
    return _vaults(deps, claim).seal(text, _context(claim))


def _open(deps: Dependencies, claim: Claim, answer: str) -> KeptAnswer:
    """Open a kept answer. Raises OutcomeUnknown if the installation's secret of that time is not
    accepted any more.
    """
    try:
        return KeptAnswer(*json.loads(_vaults(deps, claim).open(answer, _context(claim))))
    except BadSeal:
        raise OutcomeUnknown from None


def _vaults(deps: Dependencies, claim: Claim) -> Vault:
    """Return the vault of a claim's answer, which may hold an API key: it opens only with the
    requester's key and the operator's secret together.
    """
    return Vaults([DerivedVault(each, claim.key) for each in accepted(deps.secrets.tokens)])


def _context(claim: Claim) -> dict[str, str]:
    return {"account_id": claim.account_id, "fingerprint": claim.fingerprint}
