"""`/api/call/{call_id}/hold…`: hold, resume and transfer calls."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from chalicelib.domain.call_id import derived_call_id
from chalicelib.domain.call_line import OnFailure, TransferMode
from chalicelib.domain.clip import ClipName
from chalicelib.domain.model import Strict
from chalicelib.domain.phone import E164
from chalicelib.domain.trunk_fields import TrunkName
from chalicelib.handlers import views
from chalicelib.handlers.calls import DIAL_PROBLEMS, view
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request

operations = Operations("calls")

HOLDS_A_MINUTE = 300
"""Each may be two events, with `resume`. That has no limit, so that nobody waits for it on hold."""

CALL_PROBLEMS = ("call_not_found", "call_not_active", "call_over")
LINE_PROBLEMS = (*CALL_PROBLEMS, "call_transferred", "transfer_under_way")


class Hold(Strict):
    """A hold, with the sound that the far end hears meanwhile."""

    music: bool | ClipName = Field(
        default=True,
        description="true: music; false: silence; a text: your clip of that name",
        examples=[True],
    )


@operations.post(
    "/api/call/{call_id}/hold",
    body=Hold,
    answer=views.Call,
    problems=(*LINE_PROBLEMS, "clip_not_found"),
    example={"music": True},
    limit=Limit("hold", HOLDS_A_MINUTE, 60),
)
def hold_call(request: Request[Hold, NoQuery]) -> Answer:
    """Put an active call on hold.

    The far end hears music, or silence; your agent's connection stays, and neither side
    hears the other. What was still to be heard is dropped. Holding a call again changes what is
    heard.
    """
    from chalicelib.services.call import hold  # most requests need none of it

    deps = request.deps
    call = hold.hold(deps, request.account_id, request.path["call_id"], request.body.music)
    return view(deps, call)


@operations.post("/api/call/{call_id}/resume", answer=views.Call, problems=LINE_PROBLEMS)
def resume_call(request: Request[NoBody, NoQuery]) -> Answer:
    """Take a call off hold: both sides hear each other again. No error if it is not held."""
    from chalicelib.services.call import hold

    deps = request.deps
    return view(deps, hold.resume(deps, request.account_id, request.path["call_id"]))


def _check_sip_url(text: str) -> str:
    if len(text) > SIP_URL_LENGTH or not text.lower().startswith(("sip:", "sips:")):
        raise ValueError("sip:NUMBER@HOST is wanted")
    return text


SIP_URL_LENGTH = 255
SipUrl = Annotated[
    str,
    AfterValidator(_check_sip_url),
    Field(json_schema_extra={"maxLength": SIP_URL_LENGTH, "pattern": r"^[sS][iI][pP][sS]?:"}),
]


class NewTransfer(Strict):
    """A transfer of a call to a third party."""

    to: E164 | SipUrl = Field(
        description="the third party: a number in E.164 form, dialled through the call's trunk, or "
        "else `main`; or `sip:NUMBER@HOST` as for dialling out",
        examples=["+33199001234"],
    )
    mode: TransferMode = Field(
        description="`cold`: they are joined when the third party answers; `warm`: your agent "
        "talks to the third party first; `refer`: the caller's network takes the call over"
    )
    trunk: TrunkName | None = Field(default=None, description="as for dialling out")
    caller_id: E164 | None = Field(
        default=None, description="as for dialling out", examples=["+33199005678"]
    )
    timeout_s: int = Field(
        default=30, ge=5, le=120, description="seconds that it may ring at the third party"
    )
    music: bool | ClipName | None = Field(
        default=None,
        description="what the caller hears meanwhile, as on hold. Default: a "
        "ringing tone for `cold`, music for `warm`",
    )
    on_failure: OnFailure = Field(
        default="resume",
        description="what becomes of the call if the third party is not reached: your agent has "
        "it again, or it is hung up",
    )


@operations.post(
    "/api/call/{call_id}/transfer",
    body=NewTransfer,
    answer=views.Call,
    status=202,
    problems=(
        *LINE_PROBLEMS,
        "transfer_leg",
        "refer_unsupported",
        "clip_not_found",
        *DIAL_PROBLEMS,
    ),
    example={"to": "+33199001234", "mode": "cold"},
    idempotent=True,
    resumes=True,
)
def transfer_call(request: Request[NewTransfer, NoQuery]) -> Answer:
    """Transfer an active call to a third party.

    The third party's call is a call of yours: `transfer.call_id`. The rules of dialling out hold
    for it, and it counts among your calls. Events tell how the transfer goes on. With `warm` your
    agent talks in that call's audio; then complete or cancel the transfer.
    """
    from chalicelib.services.call import transfer  # most requests need none of it

    deps, account_id = request.deps, request.account_id
    leg_id = derived_call_id(request.seed) if request.seed else None
    wanted = transfer.TransferRequest(**request.body.model_dump())
    call_id = request.path["call_id"]
    return view(deps, transfer.start(deps, account_id, call_id, wanted, leg_id))


@operations.post(
    "/api/call/{call_id}/transfer/complete",
    answer=views.Call,
    problems=(*LINE_PROBLEMS, "no_transfer", "transfer_not_answered"),
)
def complete_transfer(request: Request[NoBody, NoQuery]) -> Answer:
    """Join the caller with the third party whom your agent has talked to (`warm`); your agent is
    out of both calls. No error if it is done already.
    """
    from chalicelib.services.call import transfer

    deps = request.deps
    return view(deps, transfer.complete(deps, request.account_id, request.path["call_id"]))


@operations.post(
    "/api/call/{call_id}/transfer/cancel",
    answer=views.Call,
    problems=(*CALL_PROBLEMS, "call_transferred", "no_transfer", "transfer_under_way"),
)
def cancel_transfer(request: Request[NoBody, NoQuery]) -> Answer:
    """Give up a transfer that is under way: the third party is hung up, and your agent has the call
    again.
    """
    from chalicelib.services.call import transfer

    deps = request.deps
    return view(deps, transfer.cancel(deps, request.account_id, request.path["call_id"]))
