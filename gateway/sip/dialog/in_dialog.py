"""Sends requests in a dialog, and notes what their answers say about the dialog itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sip.exchange import Exchange
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.table import Failure

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call
    from gateway.sip.dialog.dialog import Dialog

OnResponse = Callable[[Response, float], None]

_GONE = (408, 481)
"""Statuses of a request in a dialog after which the dialog is over (RFC 5057)."""


def send_in_dialog(
    call: Call, request: Request, now: float, on_response: OnResponse | None, dialog: Dialog
) -> Exchange:
    """Send a request in a dialog of the call.

    The call is lost if nobody answers, or if the far end does not know the dialog any more: unless
    it is that of a called party that is not the call's, or the request was a BYE. A REFER without
    an answer loses nothing: many a far end has never heard of it, and the call goes on (408). A
    connection that breaks loses nothing but the request: it counts as a 503 (RFC 3261 8.1.3.1).
    """

    def next_cseq() -> int:
        dialog.local_cseq += 1
        return dialog.local_cseq

    def received(response: Response, at: float) -> None:
        harmless = request.method == "REFER" and response.status == 408
        if response.status in _GONE and request.method != "BYE" and not harmless:
            lose(response.status, "the far end does not know the call any more", at)
        elif on_response is not None:
            on_response(response, at)

    def failed(failure: Failure, at: float) -> None:
        if failure is Failure.FLOW_LOST:
            received(Response(503, failure.value), at)
        elif request.method == "REFER":
            received(Response(408, failure.value), at)
        elif request.method != "BYE":
            lose(408, f"{request.method}: {failure.value}", at)

    def lose(status: int, reason: str, at: float) -> None:
        if dialog is call.dialog:
            call.lose(status, reason, at)

    return Exchange(
        context=call.context,
        flow=call.flow,
        request=request,
        authoriser=call.authoriser,
        next_cseq=next_cseq,
        on_answer=received,
        on_no_answer=failed,
    ).start(now)
