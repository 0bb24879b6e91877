"""Transfer a call to a third party, and complete or cancel that.

`cold`: the third party is dialled while the far end waits, and the two are joined when it answers.
`warm`: the agent talks to the third party first, in a call of its own, and then joins the two.
`refer`: the far end's network is asked to dial (REFER), and has the call for itself then.

Here are the acts of the agent; what follows when one of the two calls changes is in `pair.py`. The
third party's call is dialled as any other, with the same guard and limits (`dial.py`). It is
written in the transaction that notes the transfer in the call, so that neither is there without the
other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from chalicelib.domain.call import Call, LineChange, Refused, Transition, change_line
from chalicelib.domain.call_line import (
    MUSIC,
    RINGBACK,
    SILENCE,
    LineAct,
    LinePhase,
    OnFailure,
    Source,
    Transfer,
    TransferMode,
    failure_of,
    phase,
    start_of,
)
from chalicelib.domain.dial_rules import (
    NotDialled,
    RecentDials,
    check_declined,
    check_rate,
    shown_host,
)
from chalicelib.domain.trunk import Trunk
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.domain.voice import USUAL, WantedVoice
from chalicelib.providers.base import NotSupported, ProviderError
from chalicelib.services.call import pair
from chalicelib.services.call.call_writes import change
from chalicelib.services.call.dial import DIAL_TRIES, DialRequest, NotPlaced, dial
from chalicelib.services.call.hold import source_of
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.routes import Planner
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.calls import DialConflict, Stale
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

REFERRAL_MS = 600_000
"""Time after which a REFER without an outcome is given up. The gateway is not so patient, and tells
one earlier."""

_USUALLY_HEARD = {"cold": RINGBACK, "warm": MUSIC, "refer": SILENCE}


@dataclass(frozen=True)
class TransferRequest:
    """A request to transfer. `to`: a number in E.164 form, or a SIP URI as for a dial. `music`:
    what the far end hears meanwhile, as for `hold.source_of` (None: as is usual for the mode).
    """

    to: str
    mode: TransferMode
    trunk: str | None = None
    caller_id: str | None = None
    timeout_s: int = 30
    music: bool | str | None = None
    on_failure: OnFailure = "resume"


@dataclass(frozen=True)
class _Parent:
    """The call that is transferred, as `dial` wants it; `source`: what is heard meanwhile."""

    call: Call
    request: TransferRequest
    source: Source

    def write(self, deps: Dependencies, new: Transition, before: RecentDials) -> None:
        """Write both calls, with the call that is transferred as it is now, and let its far end
        wait.
        """
        now = deps.now()
        call = deps.stores.calls.get(self.call.call_id) or self.call
        started = self.started(call, new.call, now)
        deps.stores.call_lines.dial(now, new, before, call, started)
        tell_relay(deps, started.call)

    def started(self, call: Call, leg: Call, now: int) -> LineChange:
        """Return the call with the transfer begun. Raises Refused."""
        transfer = Transfer(
            transfer_id=_transfer_id(leg.call_id),
            mode=self.request.mode,
            to=leg.to,
            call_id=leg.call_id,
            on_failure=self.request.on_failure,
        )
        act = start_of(self.request.mode)
        return change_line(call, act, now, source=self.source, transfer=transfer)


def start(
    deps: Dependencies,
    account_id: str,
    call_id: str,
    request: TransferRequest,
    leg_id: str | None = None,
) -> Call:
    """Begin a transfer of an active call; return the call. `leg_id`: the id of the third party's
    call, for a request that may come again. Raises Refused, and what `dial` raises; NotPlaced has
    the call that was to be transferred.
    """
    call = own_call(deps, account_id, call_id)
    if leg_id is not None and deps.stores.calls.get(leg_id) is not None:
        return call
    _check(deps, call, request)
    if request.mode == "refer":
        return _refer(deps, call, request)
    url, trunk = _meeting_url(deps, call, request.to)
    wanted = DialRequest(
        url,
        trunk=request.trunk or trunk,
        caller_id=request.caller_id,
        agent_url=call.agent_url if request.mode == "warm" else None,
        ring_timeout_s=request.timeout_s,
        voice=_voice(call, request),
    )
    try:
        dial(deps, account_id, wanted, leg_id, _Parent(call, request, _source(deps, call, request)))
    except NotPlaced as failed:
        raise NotPlaced(_now(deps, call), failed.detail) from None
    return _now(deps, call)


def complete(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Join the far end of a call with the third party that the agent has talked to; return the
    call, as it was if they are joined already. Raises Refused.
    """
    call = own_call(deps, account_id, call_id)
    transfer = call.media_line.transfer
    if transfer is not None and transfer.state == "completed":
        return call
    leg_id = transfer.call_id if transfer else None
    leg = deps.stores.calls.get(leg_id) if leg_id else None
    if leg is None:
        # Refused: nothing can be joined.
        return change(deps, call, LineAct.JOIN, peer="")
    return pair.follow(deps, pair.join(deps, call, leg))


def cancel(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Give up a transfer that is under way: the third party is hung up, and the agent has the call
    again; return it. Raises Refused.
    """
    call = change(deps, own_call(deps, account_id, call_id), LineAct.CANCEL)
    tell_relay(deps, call)
    return pair.follow(deps, call)


def referred(deps: Dependencies, call_id: str, provider_call_id: str, code: int) -> None:
    """Note the outcome of a REFER, the final SIP code of the call that the far end's network was
    asked to make. One that is no final code is no outcome.
    """
    call = deps.stores.calls.get(call_id)
    transfer = call.media_line.transfer if call else None
    if call is None or transfer is None or call.provider_call_id != provider_call_id or code < 200:
        return
    if transfer.mode != "refer" or not transfer.under_way:
        return
    try:
        if 200 <= code < 300:
            call = change(deps, call, LineAct.REFERRED)
        else:
            call = _fail(deps, call, transfer, "rejected", code)
    except Refused as refused:
        log.info("a REFER ends too late: %s", refused.code, extra={"call_id": call_id})
        return
    pair.follow(deps, call)


def give_up_referral(deps: Dependencies, call: Call) -> Call:
    """Fail a REFER whose outcome nobody has told for so long that nobody will: the process that
    asked for it died, or the provider's post was lost. Return the call; any other as it is.
    """
    transfer, lost_at = call.media_line.transfer, call.updated_at + REFERRAL_MS
    if transfer is None or phase(call.media_line) is not LinePhase.REFER or deps.now() < lost_at:
        return call
    log.warning("no outcome of a REFER came", extra={"call_id": call.call_id})
    try:
        return pair.follow(deps, _fail(deps, call, transfer, "provider_error", None))
    except Refused as refused:
        return refused.call


def _check(deps: Dependencies, call: Call, request: TransferRequest) -> None:
    """Raise Refused for a call that cannot be transferred, before anything is dialled."""
    if call.parent_call_id is not None:
        raise Refused(call, "transfer_leg", "The call is that to the third party of a transfer.")
    if request.mode == "refer" and not deps.providers[call.provider].refers:
        raise Refused(
            call, "refer_unsupported", "The provider of this call takes no REFER: transfer it cold."
        )
    sample = Transfer(transfer_id="", mode=request.mode, to="")
    change_line(
        call,
        start_of(request.mode),
        deps.now(),
        source=_source(deps, call, request),
        transfer=sample,
    )


def _refer(deps: Dependencies, call: Call, request: TransferRequest) -> Call:
    """Ask the far end's network to dial. The number passes the guard of a dial, and the account's
    dials of a minute count it: the carrier of a trunk may charge for it as for one.
    """
    url, trunk = _meeting_url(deps, call, request.to)
    plan = Planner(deps, call.account_id).plan(url, request.trunk or trunk, request.caller_id)
    to = plan.target.e164
    check_declined(to, deps.stores.dialling.declined_at(call.account_id, to), deps.now())
    call, transfer = _referral(deps, call, request, to)
    tell_relay(deps, call)
    try:
        deps.providers[call.provider].refer(call.provider_call_id or "", transfer.to)
    except (NotSupported, ProviderError) as error:
        call = pair.follow(deps, _fail(deps, call, transfer, "provider_error", None))
        raise NotPlaced(call, str(error)) from None
    return call


def _referral(
    deps: Dependencies, call: Call, request: TransferRequest, to: str
) -> tuple[Call, Transfer]:
    """Write that a transfer by REFER begins; return the call and the transfer. Raises Refused,
    NotDialled, Contention.
    """
    account = deps.stores.accounts.get(call.account_id)
    if account is None:
        raise NotDialled("no_trunk", "There is no trunk to dial through.")
    source = _source(deps, call, request)
    for _ in tries(DIAL_TRIES):
        now, before = deps.now(), deps.stores.dialling.get(call.account_id)
        check_rate(before, account, now)
        call = _now(deps, call)
        transfer = Transfer(
            transfer_id=_transfer_id(f"{call.call_id}_{call.media_line.number + 1}"),
            mode="refer",
            to=to,
            on_failure=request.on_failure,
        )
        started = change_line(call, LineAct.START_REFER, now, source=source, transfer=transfer)
        try:
            deps.stores.call_lines.refer(now, before, call, started)
        except (DialConflict, Contention, Stale):
            continue  # another dial of the account, or change of the call, at the same moment
        return started.call, transfer
    raise Contention


def _fail(
    deps: Dependencies, call: Call, transfer: Transfer, why: str, sip_code: int | None
) -> Call:
    call = change(deps, call, failure_of(transfer), why=why, sip_code=sip_code)
    tell_relay(deps, call)
    return call


def _source(deps: Dependencies, call: Call, request: TransferRequest) -> Source:
    return source_of(deps, call.account_id, request.music, _USUALLY_HEARD[request.mode])


def _voice(call: Call, request: TransferRequest) -> WantedVoice:
    """Return the voice of the third party's call: the agent's, if it talks there at all."""
    if request.mode == "warm" and call.voice == "hosted":
        return WantedVoice("hosted", call.voice_settings)
    return USUAL


def _meeting_url(deps: Dependencies, call: Call, to: str) -> tuple[str, str | None]:
    """Return the URL to dial for a number, and the trunk: that of the call, else `main`, else the
    first. A URL is returned as it is.
    """
    if not to.startswith("+"):
        return to, None
    trunks = deps.stores.trunks.all_of_account(call.account_id)
    trunk = _first(trunks, call.trunk_id)
    if trunk is None:
        return f"sip:{to}@none.invalid", None  # the plan says that there is no trunk
    return f"sip:{to}@{shown_host(trunk)}", trunk.name


def _first(trunks: list[Trunk], trunk_id: str | None) -> Trunk | None:
    ranked = sorted(trunks, key=lambda each: (each.trunk_id != trunk_id, each.name != MAIN))
    return ranked[0] if ranked else None


def _transfer_id(of: str) -> str:
    return "transfer_" + of.removeprefix("call_")


def _now(deps: Dependencies, call: Call) -> Call:
    return deps.stores.calls.get(call.call_id) or call
