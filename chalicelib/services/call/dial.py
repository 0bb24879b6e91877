"""Dial out through an account's trunks (`routes.py` plans which).

The call is written before the provider is asked to place it: whatever is lost after that, the call
is found, counted, and ended by its deadline.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chalicelib.domain.account import Account
from chalicelib.domain.answered import DetectAnswer
from chalicelib.domain.call import Call, Transition
from chalicelib.domain.call_transitions import Act, EndReason
from chalicelib.domain.dial_rules import (
    NotDialled,
    RecentDials,
    check_declined,
    check_pace,
    check_room,
    shown_host,
)
from chalicelib.domain.failure import Failure
from chalicelib.domain.new_call import (
    DEFAULT_RING_TIMEOUT_S,
    new_outbound,
    speaking,
    third_partys,
)
from chalicelib.domain.recording import AS_USUAL, WantedRecording
from chalicelib.domain.voice import USUAL, CallVoice, WantedVoice
from chalicelib.providers.base import Dial, DialRoute, ProviderError
from chalicelib.services.call.admission import count_inbound
from chalicelib.services.call.outbound import bind
from chalicelib.services.call.provider_control import hang_up
from chalicelib.services.call.routes import Plan, Planner
from chalicelib.services.call.transition import settle
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.trunks import UnknownTrunk, credentials
from chalicelib.store.calls import AlreadyThere, DialConflict, Stale
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention
from common.sip_headers import NO_INTRODUCTION, Introduction

log = logging.getLogger(__name__)

DIAL_TRIES = 50

MAX_TWILIO_HEADERS = 1023
"""Characters of the headers in a SIP URI at Twilio (its error 21227)."""


class NotPlaced(Failure):
    """The provider did not place the call, or did not say so in time. `call` has failed."""

    code = "provider_error"
    member_names = ("call",)

    def __init__(self, call: Call, why: str) -> None:
        super().__init__(why)
        self.call, self.detail = call, why


class Parent(Protocol):
    """The call for whose transfer a third party is dialled."""

    @property
    def call(self) -> Call:
        """Return the call as it was read."""

    def write(self, deps: Dependencies, new: Transition, before: RecentDials) -> None:
        """Write the third party's call together with the transfer. Raises Refused if the call can
        not be transferred (any more), and as `CallLineStore.dial` does.
        """


@dataclass(frozen=True)
class DialRequest:
    """A request to dial. None stands for the setting of the trunk or the account."""

    meeting_url: str
    trunk: str | None = None
    caller_id: str | None = None
    agent_url: str | None = None
    max_duration_s: int | None = None
    ring_timeout_s: int = DEFAULT_RING_TIMEOUT_S
    metadata: dict[str, Any] = field(default_factory=dict)
    voice: WantedVoice = USUAL
    recording: WantedRecording = AS_USUAL
    introduction: Introduction = NO_INTRODUCTION
    detect_answer: DetectAnswer = "off"


def dial(
    deps: Dependencies,
    account_id: str,
    request: DialRequest,
    call_id: str | None = None,
    parent: Parent | None = None,
) -> Call:
    """Dial a call; return it, `connecting` or further if the provider was quick. Raises NotDialled
    if the account may not dial it, NotPlaced if the provider did not place it. `parent`: the call
    that is transferred to the one that is dialled; then Refused, too.

    `call_id` is given for a request that may come again, with the same id. If the call is written
    already, the provider is not asked again: the first request has asked it, or died before it, and
    then the call fails by its deadline.
    """
    dialled = deps.stores.calls.get(call_id) if call_id else None
    if dialled is not None:
        return _existing_call(dialled)
    account = deps.stores.accounts.get(account_id)
    if account is None:
        raise NotDialled("no_trunk", "There is no trunk to dial through.")
    _check_duration(account, request)
    if request.voice.voice == "hosted":
        _check_hosted(deps, account_id)
    if request.recording.over(None) is not None:
        from chalicelib.services.call.recordings import check_room  # most calls are not recorded

        check_room(deps, account_id)
    plan = Planner(deps, account_id).plan(request.meeting_url, request.trunk, request.caller_id)
    new = _new_call(deps, account, plan, request, call_id)
    new = third_partys(new, parent.call) if parent else new
    dial_order = _order(deps, plan, new.call, request)
    new, voice = _with_voice(deps, new, request.voice)
    try:
        _record(deps, account, new, parent)
    except AlreadyThere as existing:
        _give_up(deps, voice, existing.call)
        return _existing_call(existing.call)
    except Exception:
        _give_up(deps, voice, new.call.model_copy(update={"voice_host": None}))
        raise
    try:
        provider_call_id = deps.providers[new.call.provider].dial(dial_order)
    except ProviderError as error:
        log.warning("provider did not dial: %s", error, extra=_facts(new.call))
        return _fail_unplaced(deps, new.call, str(error))
    except Exception:
        log.exception("provider did not dial", extra=_facts(new.call))
        return _fail_unplaced(deps, new.call, "")
    return _note_placed(deps, new.call, provider_call_id)


def _check_hosted(deps: Dependencies, account_id: str) -> None:
    """Raise VoiceGated or VoiceUnavailable for a hosted call that cannot be, before all else."""
    from chalicelib.services.line.voice_offer import hosts_of

    hosts_of(deps, account_id)


def _with_voice(
    deps: Dependencies, new: Transition, wanted: WantedVoice
) -> tuple[Transition, CallVoice | None]:
    """Return the call with the voice that is wanted, and that voice; None: the agent's own, as
    usual. If it is hosted, a voice host keeps a place for the call.
    """
    usual = wanted.voice is None and wanted.settings is None
    if usual and not (wanted.text_only and deps.voice_hosts is not None):
        return new, None
    from chalicelib.services.call import voice  # most calls need none of it

    taken = voice.take_place(deps, new.call, wanted)
    return speaking(new, taken), taken


def _give_up(deps: Dependencies, taken: CallVoice | None, call: Call) -> None:
    if taken is not None:
        from chalicelib.services.call import voice

        voice.give_up(deps, taken, call)


def _existing_call(call: Call) -> Call:
    if call.end_reason is EndReason.PROVIDER_ERROR and call.provider_call_id is None:
        raise NotPlaced(call, "The provider was asked for this call before, and did not place it.")
    return call


def _check_duration(account: Account, request: DialRequest) -> None:
    if request.max_duration_s is not None and request.max_duration_s > account.max_call_s:
        raise NotDialled(
            "too_long",
            f"max_duration_s is at most {account.max_call_s} for your account.",
            limit=account.max_call_s,
        )


def _new_call(
    deps: Dependencies, account: Account, plan: Plan, request: DialRequest, call_id: str | None
) -> Transition:
    """Return the call that the request makes, unless its called party has declined lately."""
    now, to = deps.now(), plan.target.e164
    declined_at = deps.stores.dialling.declined_at(account.account_id, to)
    check_declined(to, declined_at, now)
    return new_outbound(
        account_id=account.account_id,
        provider=plan.first.trunk.provider,
        trunk_id=plan.first.trunk.trunk_id,
        trunk=plan.first.trunk.name,
        routes=[way.route for way in plan.ways],
        caller_id=plan.first.caller_id,
        to=to,
        ring_timeout_s=request.ring_timeout_s,
        max_duration_s=request.max_duration_s or account.max_call_s,
        agent_url=request.agent_url,
        introduction=_introduction(plan, request),
        detect_answer=request.detect_answer,
        metadata=request.metadata,
        now=now,
        call_id=call_id,
        record=request.recording.over(None),
    )


def _introduction(plan: Plan, request: DialRequest) -> Introduction:
    """Return what the called party can be told: Twilio takes no name, and fewer headers."""
    told = request.introduction
    if plan.first.trunk.provider == "gateway":
        return told
    from common.uri_headers import encode

    if len(encode(told.headers)) > MAX_TWILIO_HEADERS:
        raise NotDialled(
            "headers_too_long",
            f"Through Twilio sip_headers have at most {MAX_TWILIO_HEADERS} characters in their "
            "percent-encoded form NAME=VALUE&NAME=VALUE.",
            limit=MAX_TWILIO_HEADERS,
        )
    return replace(told, caller_name="")


def _order(deps: Dependencies, plan: Plan, call: Call, request: DialRequest) -> Dial:
    """Return the dial for the provider. Only the gateway has the trunks and their passwords
    already.
    """
    order = Dial(
        call_id=call.call_id,
        to=call.to,
        caller_id=call.line,
        ring_timeout_s=request.ring_timeout_s,
        max_duration_s=call.max_duration_s,
        introduction=Introduction(call.caller_name or "", headers=call.sip_headers or {}),
        detect_answer=request.detect_answer,
    )
    trunk, routes = plan.first.trunk, tuple(way.written(call.to) for way in plan.ways)
    if trunk.provider == "gateway":
        usual = (DialRoute(trunk.trunk_id, call.to, call.line),)
        return replace(order, trunk_id=trunk.trunk_id, routes=() if routes == usual else routes)
    try:
        password = credentials(deps, trunk)
    except UnknownTrunk:
        raise NotDialled("no_trunk", "The trunk was changed at that moment: try again.") from None
    port = "" if trunk.port is None else f":{trunk.port}"
    uri = f"sip:{routes[0].to}@{shown_host(trunk)}{port};transport={trunk.transport}"
    return replace(
        order, to=uri, caller_id=routes[0].caller_id, username=trunk.username, password=password
    )


def _record(deps: Dependencies, account: Account, new: Transition, parent: Parent | None) -> None:
    """Write the call and start its ring timer, if the account does not dial too much."""
    call = new.call
    for _ in tries(DIAL_TRIES):
        before = deps.stores.dialling.get(account.account_id)
        check_pace(before, account, call.created_at)
        enough = account.max_concurrent_calls - len(before.calls)
        check_room(before, account, count_inbound(deps, account, enough))
        try:
            if parent is None:
                deps.stores.calls.dial(new, before)
            else:
                parent.write(deps, new, before)
            break
        except (DialConflict, Contention, Stale):
            continue  # another dial of the account, or the end of one, at the same moment
    else:
        raise Contention
    log.info("call dialled", extra=_facts(call))
    try:
        deps.timers.ring.start(call)
    except Exception:
        # The provider has a time-out of its own; the timer and the sweep are safety nets.
        log.exception("ring timer did not start", extra=_facts(call))


def _note_placed(deps: Dependencies, call: Call, provider_call_id: str) -> Call:
    facts = {**_facts(call), "provider_call_id": provider_call_id}
    try:
        call = bind(deps, call, provider_call_id)
    except Exception:
        # The call is up; the provider's posts name both ids and bind them.
        log.exception("provider's id not noted", extra=facts)
        return call
    log.info("call placed", extra=facts)
    if call.state.final:
        # It ended before we had the id by which to hang it up.
        hang_up(deps, call)
    return call


def _fail_unplaced(deps: Dependencies, call: Call, why: str) -> Call:
    """Fail a call whose placing failed, and raise NotPlaced. A time-out does not mean that there is
    no call: if a post of the provider has come, return the call. Should a post come later, the call
    is hung up then.
    """
    call = deps.stores.calls.get(call.call_id) or call
    if call.provider_call_id is not None:
        return call
    call = settle(deps, call, Act.PROVIDER_FAILED)
    hang_up(deps, call)
    raise NotPlaced(call, why)


def _facts(call: Call) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "account_id": call.account_id,
        "from": call.from_,
        "to": call.to,
    }
