"""Twilio's dialect: signed form webhooks, TwiML, the Calls REST resource. Used for Twilio itself
and for our own gateway, which speaks the same dialect.

Sources: https://www.twilio.com/docs/voice/twiml, /docs/usage/security (signatures),
/docs/voice/api/call-resource. The import of `twilio.rest` takes a third of a second, so it happens
at the first REST call.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse

from chalicelib.providers.base import (
    OVER,
    AskAgain,
    BadSignature,
    CallUpdate,
    Connect,
    Dial,
    HangUp,
    Instruction,
    KeepRinging,
    NotSupported,
    ProviderError,
    Reject,
    RemoteStatus,
    Webhook,
)
from chalicelib.providers.twilio_webhooks import SIGNATURE, parse_form, status_of, update_of
from common.rotation import accepted, signing

ASK_AGAIN_S = 1
"""Seconds after which a webhook that failed is to come again."""

REST_TIMEOUT_S = 3.0
DIAL_TIMEOUT_S = 10.0
"""Placing a call takes longer, and a call whose request timed out might still ring."""

MAX_TIME_LIMIT_S = 24 * 3600
TIME_LIMIT_GRACE_S = 10
"""Time after the maximum duration at which Twilio ends a call that no relay has ended."""

TWILIO_API = "https://api.twilio.com"

NOT_IN_PROGRESS = 21220
"""'Invalid call state': a ringing call may not be redirected, an ended one not be hung up."""

_NOT_FOUND = 404
_IN_PROGRESS = "in-progress"


@dataclass(frozen=True)
class TwilioAccount:
    """Twilio's account and our URLs. URLs have no trailing slash; `relay_url` is ws:// or wss://.
    Of several auth tokens (common/rotation.py) we sign with the first, and accept all.
    """

    name: str
    account_sid: str
    auth_token: str
    public_url: str
    relay_url: str
    api_url: str = TWILIO_API

    def __repr__(self) -> str:
        return f"TwilioAccount({self.name}, {self.account_sid})"


class TwilioProvider:
    """A `Provider` that speaks Twilio's dialect."""

    content_type = "text/xml"

    def __init__(self, account: TwilioAccount) -> None:
        self.name = account.name
        self.refers = account.api_url != TWILIO_API
        self.detects_answer = not self.refers
        self._account = account
        self._validators = [RequestValidator(each) for each in accepted(account.auth_token)]

    def parse_webhook(self, webhook: Webhook) -> CallUpdate:
        """Check a post's signature, then read its form."""
        form = parse_form(webhook.body)
        if not self.signed(webhook.kind, webhook.call_id, form, webhook.headers.get(SIGNATURE)):
            raise BadSignature
        return update_of(form)

    def signed(
        self, kind: str, call_id: str | None, form: Mapping[str, str], signature: str | None
    ) -> bool:
        """Return whether a post is signed: HMAC-SHA1 of the *configured* URL and the sorted form,
        never of the URL in the Host header.
        """
        # The validator raises TypeError on None.
        return bool(signature) and self._valid(self._webhook(kind, call_id), form, signature)

    def handshake_signed(self, url: str, signature: str | None) -> bool:
        """Return whether a handshake is signed, over the wss URL; Twilio signs with or without a
        trailing slash.
        """
        candidates = (url.rstrip("/"), url.rstrip("/") + "/")
        return bool(signature) and any(self._valid(each, {}, signature) for each in candidates)

    def _valid(self, url: str, form: Mapping[str, str], signature: str | None) -> bool:
        found = [each.validate(url, dict(form), signature) for each in self._validators]
        return any(found)

    def document(self, instruction: Instruction, call_id: str | None = None) -> str:
        """Return the instruction as TwiML."""
        response = VoiceResponse()
        match instruction:
            case KeepRinging(pause_s):
                # As first verb a Pause delays the answer, and a Redirect keeps 180 Ringing.
                response.pause(length=pause_s)
                response.redirect(self._webhook("ringing", call_id), method="POST")
            case Connect(token, pause_s):
                if pause_s:
                    response.pause(length=pause_s)
                # No query string is allowed on a Stream URL (31920): the token is a path segment.
                url = f"{self._account.relay_url}/media/provider/{token}"
                response.connect().stream(url=url)
                response.redirect(self._webhook("after-stream", call_id), method="POST")
            case Reject(busy):
                # Towards SIP: 486, as of a phone whose owner declines; else 404. The only verb by
                # which Twilio neither answers nor bills a call, and the last of its document.
                response.reject(reason="busy" if busy else "rejected")
            case HangUp():
                response.hangup()
            case AskAgain(webhook):
                response.pause(length=ASK_AGAIN_S)
                response.redirect(self._webhook(webhook, call_id), method="POST")
        return str(response)

    def dial(self, dial: Dial) -> str:
        """Create a call. `Byoc` is Twilio's name for a carrier of one's own; `Routes`, `CallerName`
        and `SipHeaders` are our gateway's alone, so the SDK has no parameters for them.
        """
        from twilio.base.exceptions import TwilioException

        form = {
            "To": _with_headers(dial),
            "From": dial.caller_id,
            "Url": self._webhook("answered", dial.call_id),
            "StatusCallback": self._webhook("status", dial.call_id),
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
            "Timeout": dial.ring_timeout_s,
            "TimeLimit": min(dial.max_duration_s + TIME_LIMIT_GRACE_S, MAX_TIME_LIMIT_S),
            "Byoc": dial.trunk_id,
            "Routes": _routes(dial) if dial.routes else None,
            **_told(dial),
            **(self._detection(dial) if self.detects_answer else {}),
            "SipAuthUsername": dial.username,
            "SipAuthPassword": dial.password,
        }
        given = {name: value for name, value in form.items() if value is not None}
        path = f"/Accounts/{self._account.account_sid}/Calls.json"
        try:
            made = self._client.api.v2010.create("POST", path, data=given)
        except TwilioException as error:
            raise ProviderError(_describe(error)) from None
        except OSError as error:
            raise ProviderError(type(error).__name__) from None
        if not made.get("sid"):
            raise ProviderError("the answer names no call")
        return str(made["sid"])

    def steer(self, provider_call_id: str, instruction: Instruction) -> bool:
        """Redirect a live call. Documented for calls in progress; for a ringing one Twilio may
        answer 21220, and then the ringing loop's next poll brings the instruction.
        """
        from twilio.base.exceptions import TwilioException

        try:
            self._call(provider_call_id).update(twiml=self.document(instruction))
        except TwilioException as error:
            if getattr(error, "code", None) == NOT_IN_PROGRESS:
                return False
            raise ProviderError(_describe(error)) from None
        except OSError as error:  # requests' exceptions are OSErrors
            raise ProviderError(type(error).__name__) from None
        return True

    def hang_up(self, provider_call_id: str, *, answered: bool) -> None:
        """End the call: one that rings with `canceled`, which leaves calls in progress alone. If it
        was answered at that moment, and in any other case, with `completed`.
        """
        call = self._call(provider_call_id)
        if answered or _cancel(call) == _IN_PROGRESS:
            _end(call, "completed")

    def refer(self, provider_call_id: str, to: str) -> None:
        """Have our gateway send REFER. Twilio has none for a call that has a stream."""
        from twilio.base.exceptions import TwilioException

        if not self.refers:
            raise NotSupported
        path = f"/Accounts/{self._account.account_sid}/Calls/{provider_call_id}.json"
        try:
            self._client.api.v2010.create("POST", path, data={"Refer": to})
        except TwilioException as error:
            raise ProviderError(_describe(error)) from None
        except OSError as error:
            raise ProviderError(type(error).__name__) from None

    def status(self, provider_call_id: str) -> RemoteStatus:
        """Fetch the call."""
        from twilio.base.exceptions import TwilioException

        try:
            call = self._call(provider_call_id).fetch()
        except TwilioException as error:
            gone = getattr(error, "status", None) == _NOT_FOUND
            return RemoteStatus.OVER if gone else RemoteStatus.UNKNOWN
        except OSError:
            return RemoteStatus.UNKNOWN
        return RemoteStatus.OVER if status_of(call.status) in OVER else RemoteStatus.LIVE

    def _detection(self, dial: Dial) -> dict[str, str]:
        """Return the parameters of Twilio's answering machine detection, which goes on beside the
        call (/docs/voice/answering-machine-detection).
        """
        if dial.detect_answer == "off":
            return {}
        wanted = "DetectMessageEnd" if dial.detect_answer == "greeting_end" else "Enable"
        return {
            "MachineDetection": wanted,
            "AsyncAmd": "true",
            "AsyncAmdStatusCallback": self._webhook("amd", dial.call_id),
        }

    def _webhook(self, kind: str, call_id: str | None = None) -> str:
        query = f"?call={call_id}" if call_id else ""
        return f"{self._account.public_url}/webhooks/{self.name}/{kind}{query}"

    def _call(self, sid: str) -> Any:
        return self._client.calls(sid)

    @functools.cached_property
    def _client(self) -> Any:
        from twilio.rest import Client

        account = self._account
        client = Client(account.account_sid, signing(account.auth_token))
        client.http_client = _http_client(account.api_url)
        return client


def _routes(dial: Dial) -> str:
    """Return the routes of a dial as our gateway reads them (docs/contracts.md)."""
    return json.dumps(
        [
            {"trunk": route.trunk_id, "to": route.to, "from": route.caller_id}
            for route in dial.routes
        ]
    )


def _with_headers(dial: Dial) -> str:
    """Return whom to call: a SIP URI has the headers for its INVITE behind a `?`."""
    if dial.trunk_id is not None or not dial.introduction.headers:
        return dial.to
    return f"{dial.to}?{_encoded(dial.introduction.headers)}"


def _told(dial: Dial) -> dict[str, str | None]:
    """Return what our gateway shall tell the called party; Twilio has no such parameters."""
    if dial.trunk_id is None:
        return {}
    told = dial.introduction
    return {
        "CallerName": told.caller_name or None,
        "SipHeaders": _encoded(told.headers) if told.headers else None,
    }


def _encoded(headers: Mapping[str, str]) -> str:
    from common.uri_headers import encode  # most calls need none of it

    return encode(headers)


def _cancel(call: Any) -> str | None:
    """Cancel a call that has not been answered; return the status that it has then, if known."""
    status = _end(call, "canceled")
    if status is not None:
        return status
    # It is over, or was answered meanwhile: for both Twilio may answer "invalid call state".
    from twilio.base.exceptions import TwilioException

    try:
        found: str | None = call.fetch().status
    except TwilioException as error:
        if getattr(error, "status", None) != _NOT_FOUND:
            raise ProviderError(_describe(error)) from None
        return None
    except OSError as error:
        raise ProviderError(type(error).__name__) from None
    return found


def _end(call: Any, status: str) -> str | None:
    """Set a call's status to one that ends it; return the status after it. None: Twilio does not
    know the call, or its state does not allow that (any more).
    """
    from twilio.base.exceptions import TwilioException

    try:
        after: str | None = call.update(status=status).status
    except TwilioException as error:
        refused = getattr(error, "code", None) == NOT_IN_PROGRESS
        if not refused and getattr(error, "status", None) != _NOT_FOUND:
            raise ProviderError(_describe(error)) from None
        return None
    except OSError as error:
        raise ProviderError(type(error).__name__) from None
    return after


def _http_client(api_url: str) -> Any:
    """Make Twilio's HTTP client with a time-out, sending to `api_url`.

    The SDK rebuilds host names out of edge and region, which mangles an address like 127.0.0.1;
    exchanging the base in the client, the documented extension point, does not.
    """
    from twilio.http.http_client import TwilioHttpClient

    class Client(TwilioHttpClient):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            path = url.split("/2010-04-01", 1)[1]
            if method == "POST" and path.endswith("/Calls.json"):
                kwargs["timeout"] = DIAL_TIMEOUT_S
            return super().request(method, f"{api_url}/2010-04-01{path}", *args, **kwargs)

    return Client(timeout=REST_TIMEOUT_S)


def _describe(error: Exception) -> str:
    return f"{getattr(error, 'status', '')} {getattr(error, 'code', '')} {error}"[:300]
