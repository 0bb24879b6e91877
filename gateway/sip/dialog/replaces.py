"""Finds the call that an INVITE with a Replaces header is to take over (RFC 3891)."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.sip.dialog.call import Call
from gateway.sip.dialog.state import CallState
from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Valued
from gateway.sip.syntax.message import Request
from gateway.sip.transaction.flow import Flow


def replaced_call(invite: Request, flow: Flow, calls: Iterable[Call]) -> Call | None:
    """Return the call to be replaced; None without the header.

    Whoever knows the names of a dialog could end it (RFC 3891 8), and all proxies on its way know
    them. So the INVITE must come from the address that the call has: by the same carrier or PBX.
    Calls of others are not there for it.

    Raises Refusal: 400 if it cannot be read, 481 if there is no such call, 486 if it is up and the
    header is for ringing calls only.
    """
    found = invite.headers.all("Replaces")
    if not found:
        return None
    try:
        if len(found) > 1:
            raise SipSyntaxError("it is there more than once")
        replaces = Valued.parse(found[0])
    except SipSyntaxError as error:
        raise Refusal(400, f"Replaces: {error}") from None
    ours, theirs = replaces.params.text("to-tag"), replaces.params.text("from-tag")
    for call in calls:
        if (call.call_id, call.tag) != (replaces.value, ours) or call.state is not CallState.UP:
            continue
        if call.established.remote.tag != theirs or call.flow.remote[0] != flow.remote[0]:
            continue
        if "early-only" in replaces.params:
            raise Refusal(486, "The call to be replaced has been answered")
        return call
    raise Refusal(481, "There is no such call to be replaced")
