"""Handle the webhooks of inbound calls: the call rings (or auto-answer picks it up), and the
provider gets its instruction.

Voice, ringing and after-stream webhooks end in the same question, "what shall the provider do with
this call now?", which `instructions.py` answers from the call's state. So a webhook that comes
twice, late or out of order gets the answer that is right at that moment. Two more facts count:
whether an accept's own redirect may be under way (`poll`), and how many streams have broken
(`resume`).
"""

from __future__ import annotations

import logging

from chalicelib.domain.account import Account
from chalicelib.domain.call import DEFAULT_MAX_DURATION_S, Call, Transition
from chalicelib.domain.call_id import inbound_call_id
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.did import Did
from chalicelib.domain.new_call import new_inbound, new_missed
from chalicelib.domain.phone import BROWSER
from chalicelib.domain.recording import Announce, wanted_by
from chalicelib.domain.voice import CallVoice
from chalicelib.providers.base import HangUp, Instruction, KeepRinging, Reject
from chalicelib.services.call import admission
from chalicelib.services.call.admission import TurnedAway
from chalicelib.services.call.instructions import NOT_TAKEN, while_ringing
from chalicelib.services.call.number_called import (
    Called,
    Incoming,
    find_called,
    with_full_numbers,
)
from chalicelib.services.call.streams import another_stream
from chalicelib.services.call.transition import settle
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.dids import note_called, tell_not_added
from chalicelib.store.calls import AlreadyThere

log = logging.getLogger(__name__)

LAST_POLL_MS = 1_000
"""A poll that finds less than this left of the ringing is the last: it waits for the deadline."""

POLL_S = 1
"""Seconds between two polls of a ringing call that cannot be redirected: polls alone bring the
accept to its provider."""

GUARD_S = 10
"""The same for a call that is redirected when it is accepted. Its polls only guard: they bring what
a redirect has failed to bring, and the deadline."""

STEERED_MS = 3_500
"""Time after an accept in which its redirect may still reach the provider. If a poll were answered
with a stream in that time, the redirect would replace it, and the agent's first words be lost."""


def receive(deps: Dependencies, incoming: Incoming) -> Instruction:
    """Handle the voice webhook. A call to a number of nobody is rejected and not recorded; the
    owner of the trunk through which it came is told. A call to a suspended account is rejected,
    too. Beyond the account's limit of calls the caller gets a busy tone, and no call is created.
    """
    call = deps.stores.calls.get(inbound_call_id(incoming.provider, incoming.provider_call_id))
    if call is None:
        called = find_called(deps, incoming)
        incoming = with_full_numbers(deps, incoming, called)
        if called is None:
            log.info("call to a number that is nobody's", extra=_facts(incoming))
            _tell_owner(deps, incoming)
            return Reject()
        owner = _owner(deps, called)
        if owner is None:
            log.info("call to a suspended account", extra=_facts(incoming))
            return Reject()
        try:
            call = _record(deps, incoming, called, owner)
        except TurnedAway as why:
            admission.tell(deps, owner, called.number.e164, incoming.from_, why)
            return NOT_TAKEN
    if call.auto_answer and call.state is CallState.RINGING:
        call = _pick_up(deps, call)
    return _next_step(deps, call, redirects=incoming.redirects_ringing)


def poll(
    deps: Dependencies, provider: str, provider_call_id: str, *, redirects: bool = False
) -> Instruction:
    """Handle the ringing webhook. Also enforces the deadline, should the state machine be late.
    `redirects`: the provider takes a redirect of the call while it rings.
    """
    call = deps.stores.calls.get(inbound_call_id(provider, provider_call_id))
    if call is None:
        return NOT_TAKEN
    if call.state is CallState.RINGING:
        call = _at_its_deadline(deps, call)
    if call.state is CallState.RINGING and call.auto_answer:
        # A crash may have kept the voice webhook from it.
        call = _pick_up(deps, call, each_second=not redirects)
    elif _being_steered(deps, call):
        return KeepRinging(POLL_S)
    return _next_step(deps, call, redirects=redirects)


def resume(deps: Dependencies, provider: str, provider_call_id: str) -> Instruction:
    """Handle the after-stream webhook: the stream has ended. A call that is not over gets another
    one.
    """
    call = deps.stores.calls.get(inbound_call_id(provider, provider_call_id))
    return HangUp() if call is None else another_stream(deps, call)


def caller_gone(
    deps: Dependencies, incoming: Incoming, *, failed: bool, rejected: bool = False
) -> None:
    """Handle the provider's word that a call is over, in whatever order its words come. `rejected`:
    we had the call rejected as busy, so that a call that is not recorded was turned away.

    A call that ended before its voice webhook came is recorded as missed, so that the voice webhook
    finds it over, and the owner learns of the caller.
    """
    call = deps.stores.calls.get(inbound_call_id(incoming.provider, incoming.provider_call_id))
    if call is None and not rejected:
        call = _record_missed(deps, incoming)
    if call is None:
        return
    if failed:
        # A provider that fails an answered call has lost its line: neither side hung up.
        answered = call.state is CallState.ACTIVE
        settle(deps, call, Act.MEDIA_LOST if answered else Act.PROVIDER_FAILED)
    else:
        settle(deps, call, Act.CALLER_HANGUP)


def _pick_up(deps: Dependencies, call: Call, *, each_second: bool = False) -> Call:
    """Answer a call whose number has auto-answer; return it. `each_second`: its polls come so
    often.
    """
    if call.voice == "own":
        return settle(deps, call, Act.ANSWER)
    from chalicelib.services.call import voice  # most calls need none of it

    return voice.pick_up(deps, call, each_second=each_second)


def _at_its_deadline(deps: Dependencies, call: Call) -> Call:
    """Wait for the deadline of a ringing call in its last second, and let it be missed; return the
    call. Any other call is returned as it is.

    The next poll would come up to a second too late.
    """
    left_ms = call.ring_deadline - deps.now()
    if left_ms > LAST_POLL_MS:
        return call
    if left_ms > 0:
        deps.pause(left_ms / 1000)
    # No need to read the call again: the write is conditional, and a loser gets the new state.
    return settle(deps, call, Act.EXPIRE)


def _next_step(deps: Dependencies, call: Call, *, redirects: bool) -> Instruction:
    """Return what the provider shall do with a call that it has not answered: if it keeps ringing,
    until the next poll is due, of which one falls into the last second before the deadline.
    """
    if call.state is not CallState.RINGING:
        return while_ringing(deps, call)
    if not redirects:
        return KeepRinging(POLL_S)
    # A call with auto-answer that rings waits for a place at a voice host (voice.py).
    guard_s = GUARD_S // 2 if call.auto_answer else GUARD_S
    left_s = (call.ring_deadline - deps.now()) // 1000
    return KeepRinging(min(guard_s, max(POLL_S, left_s)))


def _being_steered(deps: Dependencies, call: Call) -> bool:
    """Return whether the accept's own redirect may still be on its way to the provider."""
    picked_up = call.auto_answer and call.voice_detail is None
    if call.state is not CallState.ACTIVE or picked_up or call.answered_at is None:
        return False
    if deps.now() >= call.answered_at + STEERED_MS:
        return False
    return not deps.stores.media.get(call.call_id).left_to_polls


def _facts(incoming: Incoming) -> dict[str, str]:
    """Return the fields that join our log with the provider's."""
    return {
        "call_id": inbound_call_id(incoming.provider, incoming.provider_call_id),
        "provider_call_id": incoming.provider_call_id,
        "from": incoming.from_,
        "to": incoming.to,
        **({"trunk_id": incoming.trunk_id} if incoming.trunk_id else {}),
    }


def _owner(deps: Dependencies, called: Called) -> Account | None:
    """Return the account that has the number; None if it is suspended. It is read for each call, so
    that suspension and limits count at once.
    """
    account_id = called.number.account_id
    owner = deps.stores.accounts.get(account_id) if account_id else None
    return None if owner is None or owner.suspended else owner


def _tell_owner(deps: Dependencies, incoming: Incoming) -> None:
    """Tell the owner of a connected trunk that a call came for a number that is not added."""
    trunk = deps.stores.trunks.get(incoming.trunk_id) if incoming.trunk_id else None
    if trunk is not None and trunk.provider == incoming.provider:
        tell_not_added(deps, trunk, incoming.to, incoming.from_)


def _new_call(deps: Dependencies, incoming: Incoming, called: Called, owner: Account) -> Transition:
    number = called.number
    return new_inbound(
        account_id=owner.account_id,
        provider=incoming.provider,
        provider_call_id=incoming.provider_call_id,
        from_=incoming.from_,
        to=incoming.to,
        line=number.e164,
        forwarded_from=incoming.forwarded_from,
        agent_url=number.agent_url,
        auto_answer=number.auto_answer,
        voice=CallVoice(number.voice, number.voice_settings),
        max_duration_s=min(owner.max_call_s, DEFAULT_MAX_DURATION_S),
        now=deps.now(),
        trunk=called.trunk,
        record=_record_as(deps, owner, wanted_by(number)),
        introduction=incoming.introduction,
    )


def _record_as(deps: Dependencies, owner: Account, announce: Announce | None) -> Announce | None:
    if announce is None:
        return None
    from chalicelib.services.call import recordings  # most calls are not recorded

    return recordings.if_possible(deps, owner.account_id, announce)


def _record(deps: Dependencies, incoming: Incoming, called: Called, owner: Account) -> Call:
    """Create the call that rings; return it, or the one that is there already. Raises
    TurnedAway.
    """
    new = _new_call(deps, incoming, called, owner)
    admission.admit(deps, owner, new.call)
    try:
        deps.stores.calls.create(new)
    except AlreadyThere as existing:
        if existing.call.state.final:
            admission.give_back(deps, existing.call)
        return existing.call
    call = new.call
    log.info("call rings", extra={**_facts(incoming), "account_id": call.account_id})
    _note_called(deps, incoming, called)
    if not call.auto_answer:
        try:
            deps.timers.ring.start(call)
        except Exception:
            # The call must ring all the same: its polls and the sweep enforce the deadline, too.
            log.exception("ring timer did not start", extra={"call_id": call.call_id})
    return call


def _record_missed(deps: Dependencies, incoming: Incoming) -> Call | None:
    """Create the call of a caller who has hung up already. Return the existing call, if there is
    one.
    """
    called = find_called(deps, incoming)
    owner = _owner(deps, called) if called else None
    if called is None or owner is None:
        return None
    incoming = with_full_numbers(deps, incoming, called)
    try:
        admission.count_new(deps, owner)
        deps.stores.calls.create(new_missed(_new_call(deps, incoming, called, owner)))
    except AlreadyThere as existing:
        return existing.call
    except TurnedAway as why:
        admission.tell(deps, owner, called.number.e164, incoming.from_, why)
        return None
    _note_called(deps, incoming, called)
    return None


def _note_called(deps: Dependencies, incoming: Incoming, called: Called) -> None:
    # A test call comes through no carrier: it does not show that the number is its owner's.
    if isinstance(called.number, Did) and incoming.from_ != BROWSER:
        note_called(deps, called.number, incoming.to)
