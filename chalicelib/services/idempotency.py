"""A request that is sent again with its Idempotency-Key is done once, and answered the same.

Whoever comes first holds the key while it works. An answer of success is kept, sealed. A refusal
changed nothing: it is forgotten, and the request can be sent again. If the holder dies, or ends in
an error of ours, nobody knows how far it came. Then an operation that derives what it makes from
the claim's seed is done again, and finds what was made; any other is not, and says so.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.idempotency import CLAIM_MS, KEPT_S, check_key
from chalicelib.services.ports import Ports
from chalicelib.store.idempotency import Claim, Claimed
from chalicelib.store.table import Contention, TableUnavailable
from chalicelib.store.vault import BadSeal, DerivedVault, Vault, Vaults
from wire.rotation import accepted

log = logging.getLogger(__name__)

MAX_ROUNDS = 5


class InFlight(Exception):
    """The first request with the key is under way."""

    retry_after_s = 1


class KeyReused(Exception):
    """The key stands for another request."""


class OutcomeUnknown(Exception):
    """The first request with the key ended in the middle."""


@dataclass(frozen=True)
class Kept:
    """An answer as it is kept: the status, the content (JSON), and where what was created is."""

    status: int
    content: Any
    location: str | None


@dataclass(frozen=True)
class Request:
    """A request under a key. `resumes`: done again it finds what it made (by the seed).

    `fingerprints`: its own, and those it may have been claimed by before a secret was rotated.
    """

    account_id: str
    key: str
    fingerprints: list[str]
    resumes: bool


def once(
    ports: Ports,
    request: Request,
    act: Callable[[str], Kept],
    changed_nothing: Callable[[Exception], bool],
) -> tuple[Kept, bool]:
    """The answer of `act(seed)`, and whether it is one that was kept. InFlight, KeyReused,
    OutcomeUnknown, BadIdempotencyKey, and what `act` raises; `changed_nothing` says of which of
    those that is true.
    """
    check_key(request.key)
    claim = _claimed(ports, request)
    if isinstance(claim, Kept):
        return claim, True
    try:
        kept = act(claim.seed)
    except TableUnavailable:
        # What was written is not known, and to write more would take as long: the claim lapses.
        raise
    except Exception as error:
        _let_go(ports, claim, forget=changed_nothing(error))
        raise
    try:
        ports.idempotency.answer(claim, _seal(ports, claim, kept))
    except Exception:
        # It is done, and whoever asked is told so; only a repetition will not be.
        log.exception("answer not kept", extra={"account_id": claim.account_id})
    return kept, False


def _claimed(ports: Ports, request: Request) -> Claim | Kept:
    for _ in range(MAX_ROUNDS):
        claim = _new_claim(ports, request)
        try:
            ports.idempotency.claim(claim, ports.now())
            return claim
        except Claimed as taken:
            there = taken.claim
        if there is None:
            continue
        if there.holder == claim.holder:
            # Written, unheard of and written once more, as AWS's library does.
            return claim
        kept = _kept(ports, request, there)
        if kept:
            return kept
        try:
            return _taken_over(ports, there)
        except Claimed:
            continue
    raise Contention


def _kept(ports: Ports, request: Request, there: Claim) -> Kept | None:
    """The answer to the first request; None if it died and can be done again."""
    if there.fingerprint not in request.fingerprints:
        raise KeyReused
    if there.answer is not None:
        return _open(ports, there, there.answer)
    if there.held_until > ports.now():
        raise InFlight
    if not request.resumes:
        raise OutcomeUnknown
    return None


def _new_claim(ports: Ports, request: Request) -> Claim:
    now = ports.now()
    return Claim(
        account_id=request.account_id,
        key=request.key,
        fingerprint=request.fingerprints[0],
        seed=secrets.token_hex(16),
        holder=secrets.token_hex(8),
        held_until=now + CLAIM_MS,
        expires_at=now // 1000 + KEPT_S,
    )


def _taken_over(ports: Ports, dead: Claim) -> Claim:
    """The claim of a holder that died, now ours, with its seed."""
    claim = replace(
        dead,
        holder=secrets.token_hex(8),
        held_until=ports.now() + CLAIM_MS,
        takeovers=dead.takeovers + 1,
    )
    ports.idempotency.take_over(dead, claim)
    return claim


def _let_go(ports: Ports, claim: Claim, *, forget: bool) -> None:
    """After a failure. One that took over forgets nothing: whom it took for dead may only be slow,
    and must find its seed again with whoever comes next.
    """
    try:
        if forget and not claim.takeovers:
            ports.idempotency.release(claim)
        else:
            ports.idempotency.lapse(claim)
    except Exception:
        # It lapses by itself.
        log.exception("claim not let go of", extra={"account_id": claim.account_id})


def _seal(ports: Ports, claim: Claim, kept: Kept) -> str:
    text = json.dumps([kept.status, kept.content, kept.location], separators=(",", ":"))
    return _vaults(ports, claim).seal(text, _context(claim))


def _open(ports: Ports, claim: Claim, answer: str) -> Kept:
    """OutcomeUnknown if the installation's secret of then is accepted no more."""
    try:
        return Kept(*json.loads(_vaults(ports, claim).open(answer, _context(claim))))
    except BadSeal:
        raise OutcomeUnknown from None


def _vaults(ports: Ports, claim: Claim) -> Vault:
    """Opens with the key that the asker holds and the secret that the operator holds, not with one
    of them: the answer may hold an API key.
    """
    return Vaults([DerivedVault(each, claim.key) for each in accepted(ports.token_secret)])


def _context(claim: Claim) -> dict[str, str]:
    return {"account_id": claim.account_id, "fingerprint": claim.fingerprint}
