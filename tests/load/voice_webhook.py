"""Posts voice webhooks as a trunking provider does, and measures the time to the instructions."""

from __future__ import annotations

import secrets
import time
import urllib.parse
import urllib.request

from twilio.request_validator import RequestValidator

from tests.load.stack import World

WITHIN_S = 20.0


def answer_times(world: World, number: str, calls: int) -> list[float]:
    """Return how many seconds each of so many calls to a number waited for its instructions.

    The callers hang up at once, so that one call rings at a time.
    """
    times = []
    for index in range(calls):
        form = {
            "CallSid": f"CA{secrets.token_hex(16)}",
            "From": f"+1556{index:07d}",
            "To": number,
            "CallStatus": "ringing",
        }
        began = time.monotonic()
        twiml = _post(world, "voice", form)
        times.append(time.monotonic() - began)
        if "<Redirect" not in twiml:
            raise RuntimeError(f"the call does not ring: {twiml}")
        _post(world, "status", {**form, "CallStatus": "completed"})
    return times


def _post(world: World, kind: str, form: dict[str, str]) -> str:
    url = f"{world.layout.api_url}/webhooks/gateway/{kind}"
    signature = RequestValidator(world.phone_account[2]).compute_signature(url, form)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
    }
    body = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
        return str(answer.read().decode())
