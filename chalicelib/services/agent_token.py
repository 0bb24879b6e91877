"""The account's agent token: shown, and replaced when it has leaked."""

from __future__ import annotations

import logging
import random
import time

from chalicelib.domain.agent_token import AgentToken, derive
from chalicelib.services.ports import Ports
from chalicelib.store.accounts import TokenRotated
from chalicelib.store.table import Contention
from wire.rotation import accepted

log = logging.getLogger(__name__)

MAX_ROUNDS = 25
COLLISION_WAIT_S = 0.03


class UnknownAccount(LookupError):
    """No such account."""


def current(ports: Ports, account_id: str) -> AgentToken:
    """The token that handshakes are signed with now. UnknownAccount."""
    return derive(_secret(ports), account_id, _version(ports, account_id))


def rotate(ports: Ports, account_id: str) -> AgentToken:
    """A new token; the one before it signs nothing any more. UnknownAccount, Contention.

    Of two who rotate at once, each gets a version of its own; the later one counts.
    """
    for _ in range(MAX_ROUNDS):
        version = _version(ports, account_id)
        try:
            ports.accounts.rotate_agent_token(account_id, version)
        except (TokenRotated, Contention):
            time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
            continue
        log.info("agent token rotated", extra={"account_id": account_id, "version": version + 1})
        return derive(_secret(ports), account_id, version + 1)
    raise Contention


def _secret(ports: Ports) -> str:
    """Owners have put their tokens into their agents by hand: while the installation's secret is
    being rotated they stay, and a secret of their own keeps them for good.
    """
    return ports.agent_token_secret or accepted(ports.token_secret)[-1]


def _version(ports: Ports, account_id: str) -> int:
    account = ports.accounts.get(account_id)
    if account is None:
        raise UnknownAccount(account_id)
    return account.agent_token_version
