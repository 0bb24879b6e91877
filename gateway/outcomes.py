"""How the ways a call can end map to Twilio's statuses, and to SIP codes for the leg.

Pure; `live_call.py` asks here and nowhere else.

| the call ends by | while it rings | answered |
|---|---|---|
| `<Reject reason="busy">` | `busy`, 486 | `completed` |
| `<Reject>` (rejected) | `no-answer`, 404 | `completed` |
| `<Hangup>`, end of the document | `no-answer`, 480 | `completed` |
| REST `canceled` / `completed`, inbound | `no-answer`, 480 | no effect / `completed` |
| REST `canceled` / `completed`, outbound | `canceled`, 487 | no effect / `completed` |
| the caller hangs up | `canceled`, 487 | `completed` |
| the called party: 486, 600, 603 | `busy` | - |
| … 408, 480, 487, or our `Timeout` | `no-answer` | - |
| … any other code | `failed` | - |
| a script that cannot go on | `failed`, 500 | `failed`, 500 |

Twilio words `<Reject>` so ("a status of busy or no-answer, depending on the reason"). It would
answer for a first `<Hangup>`; we do not, since nobody gains by a call answered to be hung up.
Source: https://www.twilio.com/docs/voice/twiml/reject
"""

from __future__ import annotations

from typing import NamedTuple

from gateway import twiml
from gateway.call import Call, Status

_BUSY = (486, 600, 603)
_NO_ANSWER = (408, 480, 487)


class Outcome(NamedTuple):
    """The final status, and the SIP code that goes with it."""

    status: Status
    sip_code: int


COMPLETED = Outcome("completed", 200)
CANCELED = Outcome("canceled", 487)
NOT_IN_TIME = Outcome("no-answer", 487)
NO_ROUTE = Outcome("failed", 404)
BROKEN = Outcome("failed", 500)


def of_script(call: Call, ending: twiml.Hangup | twiml.Reject) -> Outcome:
    """The script came to its end."""
    if call.answered:
        return COMPLETED
    if isinstance(ending, twiml.Hangup):
        return Outcome("no-answer", 480)
    return Outcome("busy", 486) if ending.reason == "busy" else Outcome("no-answer", 404)


def of_clearing(call: Call) -> Outcome:
    """We hang up, because the REST API or the operator says so."""
    if call.answered:
        return COMPLETED
    # Only who placed a call can cancel it; a called side that gives up was simply not there.
    return Outcome("no-answer", 480) if call.direction == "inbound" else CANCELED


def of_far_end(call: Call, sip_code: int) -> Outcome:
    """The far end hung up, or refused with `sip_code`."""
    if call.answered:
        return COMPLETED
    if call.direction == "inbound":
        return CANCELED
    if sip_code in _BUSY:
        return Outcome("busy", sip_code)
    return Outcome("no-answer" if sip_code in _NO_ANSWER else "failed", sip_code)
