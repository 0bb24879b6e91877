"""The outcome of a call: its status in Twilio's words and the SIP code for the leg, by its end.

No I/O. `live_call.py` uses only this module for the mapping.

| the call ends by | while it rings | answered |
|---|---|---|
| `<Reject reason="busy">` | `busy`, 486 | `completed` |
| `<Reject>` (rejected) | `no-answer`, 404 | `completed` |
| `<Hangup>`, end of the document | answered first, then `completed` | `completed` |
| REST `canceled` / `completed`, inbound | `no-answer`, 480 | no effect / `completed` |
| REST `canceled` / `completed`, outbound | `canceled`, 487 | no effect / `completed` |
| the caller hangs up | `canceled`, 487 | `completed` |
| the called party: 486, 600, 603 | `busy` | - |
| … 408, 480, 487, or our `Timeout` | `no-answer` | - |
| … any other code | `failed` | - |
| a script that cannot go on | `failed`, 500 | `failed`, 500 |

The two rows for `<Reject>` follow Twilio's text ("a status of busy or no-answer, depending on the
reason"). At any other end of a script Twilio answers before it hangs up, and bills the call. The
gateway does the same, so that a mistake of an application shows here and not first on a bill.
Sources: https://www.twilio.com/docs/voice/twiml/reject, …/hangup
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.calls.call import Call, Status
from gateway.twiml import verbs

_BUSY = (486, 600, 603)
_NO_ANSWER = (408, 480, 487)


class Outcome(NamedTuple):
    """The final status and its SIP code."""

    status: Status
    sip_code: int


COMPLETED = Outcome("completed", 200)
CANCELED = Outcome("canceled", 487)
NOT_IN_TIME = Outcome("no-answer", 487)
NO_ROUTE = Outcome("failed", 404)
BROKEN = Outcome("failed", 500)


def of_script(call: Call, ending: verbs.Hangup | verbs.Reject) -> Outcome:
    """Return the outcome of a script that has ended."""
    if call.answered or isinstance(ending, verbs.Hangup):
        return COMPLETED
    return Outcome("busy", 486) if ending.reason == "busy" else Outcome("no-answer", 404)


def of_clearing(call: Call) -> Outcome:
    """Return the outcome of a hang-up by the REST API or the operator."""
    if call.answered:
        return COMPLETED
    # Only the side that placed a call can cancel it; if the called side gives up, it was not there.
    return Outcome("no-answer", 480) if call.direction == "inbound" else CANCELED


def of_far_end(call: Call, sip_code: int) -> Outcome:
    """Return the outcome when the far end has hung up, or refused with `sip_code`."""
    if call.answered:
        return COMPLETED
    if call.direction == "inbound":
        return CANCELED
    if sip_code in _BUSY:
        return Outcome("busy", sip_code)
    return Outcome("no-answer" if sip_code in _NO_ANSWER else "failed", sip_code)
