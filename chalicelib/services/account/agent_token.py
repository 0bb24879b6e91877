"""The account's agent token: read it, and replace it after it has leaked."""

from __future__ import annotations

import logging

from chalicelib.domain.agent import AgentToken, derive
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.accounts import TokenRotated
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention
from common.rotation import accepted

log = logging.getLogger(__name__)


class UnknownAccount(LookupError):
    """No such account."""


def current(deps: Dependencies, account_id: str) -> AgentToken:
    """Return the token that handshakes are signed with now. Raises UnknownAccount."""
    return derive(_secret(deps), account_id, _version(deps, account_id))


def rotate(deps: Dependencies, account_id: str) -> AgentToken:
    """Replace the token; the former one signs nothing any more. Raises UnknownAccount, Contention.

    Of two who rotate at once, each gets a version of its own; the later one counts.
    """
    for _ in tries():
        version = _version(deps, account_id)
        try:
            deps.stores.accounts.rotate_agent_token(account_id, version)
        except (TokenRotated, Contention):
            continue
        log.info("agent token rotated", extra={"account_id": account_id, "version": version + 1})
        return derive(_secret(deps), account_id, version + 1)
    raise Contention


def _secret(deps: Dependencies) -> str:
    """Return the secret that tokens are derived from: its own setting, or the oldest token secret,
    so that tokens stay while secrets are rotated. Owners have put them into their agents by hand.
    """
    return deps.secrets.agent_tokens or accepted(deps.secrets.tokens)[-1]


def _version(deps: Dependencies, account_id: str) -> int:
    account = deps.stores.accounts.get(account_id)
    if account is None:
        raise UnknownAccount(account_id)
    return account.agent_token_version
