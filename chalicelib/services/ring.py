"""A call comes in: it rings (or is picked up by auto-answer), and the provider is told what to do.

Voice, ringing and after-stream webhooks end in the same question, "what shall the provider do with
this call now?", which `instruction` answers from the call's state. So whichever comes twice, late
or out of order gets the answer that is right at that moment. Besides the state count only whether
an accept's own redirect may be under way (`poll`), and how many streams have broken (`resume`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from chalicelib.domain import media_token
from chalicelib.domain.call import Call, Moved
from chalicelib.domain.call_id import inbound_call_id
from chalicelib.domain.call_moves import Act, CallState
from chalicelib.domain.called_number import international_forms, match_did
from chalicelib.domain.did import Did
from chalicelib.domain.line import Line
from chalicelib.domain.new_call import missed_unseen, new_inbound
from chalicelib.domain.phone import BROWSER, called_number
from chalicelib.providers.base import Connect, HangUp, Instruction, KeepRinging, Reject
from chalicelib.services.dids import note_called, tell_not_added
from chalicelib.services.ports import Ports
from chalicelib.services.transition import settle
from chalicelib.store.calls import AlreadyThere

log = logging.getLogger(__name__)

LAST_POLL_MS = 1_000
"""A poll that finds less than this left of the ringing is the last: it waits for the deadline."""

STEERED_MS = 3_500
"""How long after an accept its redirect may still reach the provider. A poll that is answered with
a stream in that time would see it replaced by the redirect's: the agent's first words were lost."""

LASTING_MS = 10_000
"""A stream that a relay has held this long did work: what breaks then is counted afresh."""

STREAMS_AT_ONCE = 2
"""Streams handed out without a pause when one breaks; after these, one a second."""

MAX_STREAMS = 12
"""Streams handed out, none of which lasted, before the call has failed."""


@dataclass(frozen=True)
class Incoming:
    """A call as a provider announces it."""

    provider: str
    provider_call_id: str
    from_: str
    to: str
    forwarded_from: str | None = None
    trunk_id: str | None = None
    """The trunk it came through, where the provider says so."""


def receive(ports: Ports, incoming: Incoming) -> Instruction:
    """The voice webhook. A number that is nobody's is rejected and leaves nothing behind, but for
    word to the owner of the trunk through which the call came. So is one of a suspended account.
    """
    call = ports.calls.get(inbound_call_id(incoming.provider, incoming.provider_call_id))
    if call is None:
        line = _line_called(ports, incoming)
        if line is None:
            log.info("call to a number that is nobody's", extra=_facts(incoming))
            _tell_owner(ports, incoming)
            return Reject()
        if _suspended(ports, line):
            log.info("call to a suspended account", extra=_facts(incoming))
            return Reject()
        call = _record(ports, incoming, line)
    if call.auto_answer and call.state is CallState.RINGING:
        call = settle(ports, call, Act.ANSWER)
    return instruction(ports, call)


def poll(ports: Ports, provider: str, provider_call_id: str) -> Instruction:
    """The ringing webhook. Also enforces the deadline, should the state machine be late."""
    call = ports.calls.get(inbound_call_id(provider, provider_call_id))
    if call is None:
        return HangUp()
    if call.state is CallState.RINGING:
        call = _at_its_deadline(ports, call)
    if call.state is CallState.RINGING and call.auto_answer:
        call = settle(ports, call, Act.ANSWER)  # what a crash kept the voice webhook from
    elif _being_steered(ports, call):
        return KeepRinging()
    return instruction(ports, call)


def resume(ports: Ports, provider: str, provider_call_id: str) -> Instruction:
    """The after-stream webhook: the stream is gone. A call that is not over gets another one."""
    call = ports.calls.get(inbound_call_id(provider, provider_call_id))
    return HangUp() if call is None else another_stream(ports, call)


def another_stream(ports: Ports, call: Call) -> Instruction:
    """What follows when a call's stream has ended, whichever direction the call has."""
    if call.state is not CallState.ACTIVE:
        return HangUp()
    media = ports.calls.media(call.call_id)
    lasted = media.attached_at is not None and ports.now() - media.attached_at >= LASTING_MS
    streams = ports.calls.count_stream(call.call_id, call.media_expiry, afresh=lasted)
    if streams > MAX_STREAMS:
        log.error("no stream of the call lasts", extra={"call_id": call.call_id})
        settle(ports, call, Act.MEDIA_LOST)
        return HangUp()
    pause_s = 0 if streams <= STREAMS_AT_ONCE else 1
    return Connect(provider_token(ports, call), pause_s)


def caller_gone(ports: Ports, incoming: Incoming, *, failed: bool) -> None:
    """The provider says the call is over, in whatever order it says so.

    Over before we heard that it rings: it is recorded as missed all the same, so that the voice
    webhook that comes after it finds it over, and the owner learns of the caller.
    """
    call = ports.calls.get(inbound_call_id(incoming.provider, incoming.provider_call_id))
    if call is None:
        line = _line_called(ports, incoming)
        if line is None or _suspended(ports, line):
            return
        try:
            ports.calls.create(missed_unseen(_born(ports, incoming, line)))
        except AlreadyThere as there:
            call = there.call
        else:
            _note_called(ports, incoming, line)
            return
    if failed:
        # A provider that fails an answered call has lost its line: neither side hung up.
        answered = call.state is CallState.ACTIVE
        settle(ports, call, Act.MEDIA_LOST if answered else Act.PROVIDER_FAILED)
    else:
        settle(ports, call, Act.CALLER_HANGUP)


def instruction(ports: Ports, call: Call) -> Instruction:
    """What the provider shall do with the call as it is."""
    match call.state:
        case CallState.CONNECTING | CallState.RINGING:
            return KeepRinging()
        case CallState.ACTIVE:
            return Connect(provider_token(ports, call))
        case CallState.DECLINED if call.direction == "inbound":
            return Reject(busy=True)
        case _:
            return HangUp()


def provider_token(ports: Ports, call: Call) -> str:
    """The token of the provider's stream: good as long as the call can last."""
    return media_token.issue(ports.token_secret, call.call_id, "provider", call.media_expiry)


def _at_its_deadline(ports: Ports, call: Call) -> Call:
    """A ringing call in its last second is waited for and then missed; any other is as it was.

    The next poll would come up to a second late; this one is here already.
    """
    left_ms = call.ring_deadline - ports.now()
    if left_ms > LAST_POLL_MS:
        return call
    if left_ms > 0:
        ports.pause(left_ms / 1000)
    # What happened meanwhile needs no look: the write is conditional, and its loser is told.
    return settle(ports, call, Act.EXPIRE)


def _being_steered(ports: Ports, call: Call) -> bool:
    """Whether the accept's own redirect may still be on its way to the provider."""
    if call.state is not CallState.ACTIVE or call.auto_answer or call.answered_at is None:
        return False
    if ports.now() >= call.answered_at + STEERED_MS:
        return False
    return not ports.calls.media(call.call_id).left_to_polls


def _facts(incoming: Incoming) -> dict[str, str]:
    """What joins our log with the provider's."""
    return {
        "call_id": inbound_call_id(incoming.provider, incoming.provider_call_id),
        "provider_call_id": incoming.provider_call_id,
        "from": incoming.from_,
        "to": incoming.to,
        **({"trunk_id": incoming.trunk_id} if incoming.trunk_id else {}),
    }


def _suspended(ports: Ports, line: Line | Did) -> bool:
    """Whether the operator keeps the number's owner out; read for each call, so that it counts at
    once, for numbers and trunks alike.
    """
    owner = ports.accounts.get(line.account_id) if line.account_id else None
    return owner is not None and owner.suspended


def _line_called(ports: Ports, incoming: Incoming) -> Line | Did | None:
    """Whose number was called. What came through a trunk is for one of that trunk's numbers: a
    carrier cannot make anything else ring, whatever it writes.
    """
    if incoming.trunk_id is not None:
        return _did_called(ports, incoming, incoming.trunk_id)
    number = called_number(incoming.to)
    line = ports.lines.get(number) if number else None
    if line and line.account_id and line.provider == incoming.provider:
        return line
    if incoming.provider == "gateway":
        return None
    candidates = international_forms(incoming.to)
    found = (ports.dids.at(incoming.provider, e164) for e164 in candidates)
    return next((did for did in found if did is not None), None)


def _did_called(ports: Ports, incoming: Incoming, trunk_id: str) -> Did | None:
    found = ports.dids.whole(trunk_id)
    if found is None or found[0].provider != incoming.provider:
        return None
    trunk, dids = found
    return match_did(incoming.to, dids, trunk.username)


def _tell_owner(ports: Ports, incoming: Incoming) -> None:
    """A number that is not added on a trunk that is connected: its owner is to learn of it."""
    trunk = ports.trunks.get(incoming.trunk_id) if incoming.trunk_id else None
    if trunk is not None and trunk.provider == incoming.provider:
        tell_not_added(ports, trunk, incoming.to, incoming.from_)


def _born(ports: Ports, incoming: Incoming, line: Line | Did) -> Moved:
    return new_inbound(
        account_id=line.account_id or "",
        provider=incoming.provider,
        provider_call_id=incoming.provider_call_id,
        from_=incoming.from_,
        to=incoming.to,
        line=line.e164,
        forwarded_from=incoming.forwarded_from,
        agent_url=line.agent_url,
        auto_answer=line.auto_answer,
        now=ports.now(),
    )


def _record(ports: Ports, incoming: Incoming, line: Line | Did) -> Call:
    born = _born(ports, incoming, line)
    try:
        ports.calls.create(born)
    except AlreadyThere as there:
        return there.call
    call = born.call
    log.info("call rings", extra={**_facts(incoming), "account_id": call.account_id})
    _note_called(ports, incoming, line)
    if not call.auto_answer:
        try:
            ports.timer.start(call)
        except Exception:
            # The call must ring all the same: its polls and the sweep know the deadline, too.
            log.exception("ring timer did not start", extra={"call_id": call.call_id})
    return call


def _note_called(ports: Ports, incoming: Incoming, line: Line | Did) -> None:
    # A test call comes through no carrier: it does not show that the number is its owner's.
    if isinstance(line, Did) and incoming.from_ != BROWSER:
        note_called(ports, line, incoming.to)
