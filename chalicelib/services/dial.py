"""An account dials out through its trunk.

The call is written before the provider is asked for it: whatever is lost after that, the call is
there to be found, counted, and ended by its deadline.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.account import Account
from chalicelib.domain.call import Call, Moved
from chalicelib.domain.call_moves import Act, EndReason
from chalicelib.domain.dialling import (
    DEFAULT_RING_TIMEOUT_S,
    NotDialled,
    check_declined,
    check_host,
    check_number,
    check_pace,
    check_registered,
    choose_caller_id,
    parse_target,
)
from chalicelib.domain.new_call import new_outbound
from chalicelib.domain.trunk import Trunk
from chalicelib.providers.base import Dial, ProviderError
from chalicelib.services.nudge import hang_up
from chalicelib.services.numbering import facts_of, home_country
from chalicelib.services.outbound import bind
from chalicelib.services.ports import Ports
from chalicelib.services.transition import settle
from chalicelib.services.trunks import UnknownTrunk, credentials
from chalicelib.store.calls import AlreadyThere, Outpaced
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

MAX_ROUNDS = 50
COLLISION_WAIT_S = 0.03


class NotPlaced(Exception):
    """The provider did not place the call, or did not say so in time. `call` has failed."""

    def __init__(self, call: Call, why: str) -> None:
        super().__init__(why)
        self.call, self.why = call, why


@dataclass(frozen=True)
class Wish:
    """What the caller of `dial` wants. None: what the trunk and the account have it be."""

    meeting_url: str
    caller_id: str | None = None
    agent_url: str | None = None
    max_duration_s: int | None = None
    ring_timeout_s: int = DEFAULT_RING_TIMEOUT_S
    metadata: dict[str, Any] = field(default_factory=dict)


def dial(ports: Ports, account_id: str, wish: Wish, call_id: str | None = None) -> Call:
    """The call, asked of the provider: `connecting`, or further if it was quick. NotDialled if the
    account may not, NotPlaced if the provider would not.

    `call_id` is given for a request that may come again, and is then the same. Whoever finds the
    call written does not ask the provider: somebody has, or died in between, and then the call
    fails by its deadline.
    """
    dialled = ports.calls.get(call_id) if call_id else None
    if dialled is not None:
        return _dialled_before(dialled)
    account, trunk = _account_and_trunk(ports, account_id)
    born = _born(ports, account, trunk, wish, call_id)
    order = _order(ports, trunk, born.call, wish.ring_timeout_s)
    try:
        _record(ports, account, born)
    except AlreadyThere as there:
        return _dialled_before(there.call)
    try:
        provider_call_id = ports.providers[trunk.provider].dial(order)
    except ProviderError as error:
        log.warning("provider did not dial: %s", error, extra=_facts(born.call))
        return _not_placed(ports, born.call, str(error))
    except Exception:
        log.exception("provider did not dial", extra=_facts(born.call))
        return _not_placed(ports, born.call, "")
    return _placed(ports, born.call, provider_call_id)


def _account_and_trunk(ports: Ports, account_id: str) -> tuple[Account, Trunk]:
    account, trunk = ports.accounts.get(account_id), ports.trunks.of_account(account_id)
    if account is None or trunk is None:
        raise NotDialled("no_trunk", "Connect the trunk to dial through with PUT /api/trunk.")
    return account, trunk


def _dialled_before(call: Call) -> Call:
    if call.end_reason is EndReason.PROVIDER_ERROR and call.provider_call_id is None:
        raise NotPlaced(call, "The provider was asked for this call before, and did not place it.")
    return call


def _born(ports: Ports, account: Account, trunk: Trunk, wish: Wish, call_id: str | None) -> Moved:
    """The call that the wish makes, if the rules allow it."""
    now = ports.now()
    if wish.max_duration_s is not None and wish.max_duration_s > account.max_call_s:
        raise NotDialled(
            "too_long",
            f"max_duration_s is at most {account.max_call_s} for your account.",
            limit=account.max_call_s,
        )
    target = parse_target(wish.meeting_url, trunk)
    check_host(target, trunk)
    check_number(target.e164, facts_of(target.e164), _countries(trunk))
    caller_id = choose_caller_id(wish.caller_id, trunk, ports.dids.of_trunk(trunk.trunk_id))
    check_registered(trunk)
    declined_at = ports.dialling.declined_at(account.account_id, target.e164)
    check_declined(target.e164, declined_at, now)
    return new_outbound(
        account_id=account.account_id,
        provider=trunk.provider,
        trunk_id=trunk.trunk_id,
        caller_id=caller_id,
        to=target.e164,
        ring_timeout_s=wish.ring_timeout_s,
        max_duration_s=wish.max_duration_s or account.max_call_s,
        agent_url=wish.agent_url,
        metadata=wish.metadata,
        now=now,
        call_id=call_id,
    )


def _countries(trunk: Trunk) -> set[str]:
    """Where a trunk may dial: where its caller ID is, and where its owner says.

    Both are set together with the trunk's password. Its DIDs do not count: whoever holds an API
    key can add one of any country.
    """
    own = home_country(trunk.caller_id) if trunk.caller_id else None
    return ({own} if own else set()) | set(trunk.allowed_countries)


def _order(ports: Ports, trunk: Trunk, call: Call, ring_timeout_s: int) -> Dial:
    """What the provider is asked for. The gateway knows the trunk and its password by itself."""
    known = trunk.provider == "gateway"
    try:
        password = None if known else credentials(ports, trunk)
    except UnknownTrunk:
        raise NotDialled("no_trunk", "The trunk was changed at that moment: try again.") from None
    host = f"[{trunk.host}]" if ":" in trunk.host else trunk.host
    uri = f"sip:{call.to}@{host}:{trunk.port};transport={trunk.transport}"
    return Dial(
        call_id=call.call_id,
        to=call.to if known else uri,
        caller_id=call.line,
        ring_timeout_s=ring_timeout_s,
        max_duration_s=call.max_duration_s,
        trunk_id=trunk.trunk_id if known else None,
        username=None if known else trunk.username,
        password=password,
    )


def _record(ports: Ports, account: Account, born: Moved) -> None:
    """Write the call, if the account does not dial too much, and have its deadline enforced."""
    call = born.call
    for _ in range(MAX_ROUNDS):
        seen = ports.dialling.get(account.account_id)
        check_pace(seen, account, call.created_at)
        try:
            ports.calls.dial(born, seen)
            break
        except (Outpaced, Contention):
            # Another dial of the account, or the end of one, at the same moment.
            time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
    else:
        raise Contention
    log.info("call dialled", extra=_facts(call))
    try:
        ports.timer.start(call)
    except Exception:
        # The provider's own time-out is the rule, this is its safety net; the sweep is another.
        log.exception("ring timer did not start", extra=_facts(call))


def _placed(ports: Ports, call: Call, provider_call_id: str) -> Call:
    facts = {**_facts(call), "provider_call_id": provider_call_id}
    try:
        call = bind(ports, call, provider_call_id)
    except Exception:
        # The call is up; the provider's posts name both ids and bind them.
        log.exception("provider's id not noted", extra=facts)
        return call
    log.info("call placed", extra=facts)
    if call.state.final:
        # Given up before we knew what to hang up.
        hang_up(ports, call)
    return call


def _not_placed(ports: Ports, call: Call, why: str) -> Call:
    """A time-out does not say that there is no call. If a post of the provider's has come already,
    there is one; else it has failed, and should one come after all it is hung up.
    """
    call = ports.calls.get(call.call_id) or call
    if call.provider_call_id is not None:
        return call
    call = settle(ports, call, Act.PROVIDER_FAILED)
    hang_up(ports, call)
    raise NotPlaced(call, why)


def _facts(call: Call) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "account_id": call.account_id,
        "from": call.from_,
        "to": call.to,
    }
