"""The relays' control door: requests about a call, to whichever relay holds it
(docs/contracts.md).
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chalicelib.providers.outgoing_http import GuardedPoster, Poster
from common import control

log = logging.getLogger(__name__)

SLACK_S = 4.0
"""Time that an answer has beyond the wait that was asked for: the relay itself waits 3 s longer."""

NEWS_TIMEOUT_S = 1.0
"""Time that a relay has to take news. It loses nothing without them: it asks by itself."""

AVOIDED_S = 10.0
"""Time for which relays are sent no news after they did not answer."""

MAX_PASSED_ON = 64
"""Characters of an error's code that are used."""

CLEAR, DTMF, CHANGED, REQUEST = "clear", "dtmf", "changed", "request"


class DoorRefused(Exception):
    """The relay, or the call's agent, did not do it: `code` and `detail` say why; `error` is all
    that was said.
    """

    def __init__(self, code: str, detail: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.error = code, detail, error


class DoorUnavailable(Exception):
    """No relay answers; the message says why. Whether it was done is not known."""


class RelayDoor(Protocol):
    """The door of an installation's relays."""

    def ask(
        self,
        call_id: str,
        owner: str | None,
        method: str,
        params: Mapping[str, Any],
        wait_s: float = 0,
    ) -> dict[str, Any]:
        """Have the relay that holds the call do something, and return the result. `owner`: the
        door of that relay, if it is known; `wait_s`: how long its agent may take. Raises
        DoorRefused, DoorUnavailable.
        """

    def tell(self, call_id: str, owner: str | None, news: Mapping[str, Any]) -> None:
        """Tell the relay what the call is now. Takes a second at most, and never raises."""


class SignedRelayDoor:
    """`RelayDoor` over HTTP, signed with the secret that relays share with the application."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        poster: Callable[[float], Poster] = lambda timeout_s: GuardedPoster(
            private=True, timeout_s=timeout_s
        ),
        now_s: Callable[[], int] = lambda: int(time.time()),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The relays are the operator's own: they may be in a private network.
        self._url, self._secret, self._poster = url, secret, poster
        self._now_s, self._clock = now_s, clock
        self._quiet_until = float("-inf")

    def ask(
        self,
        call_id: str,
        owner: str | None,
        method: str,
        params: Mapping[str, Any],
        wait_s: float = 0,
    ) -> dict[str, Any]:
        """See `RelayDoor`."""
        answer = self._post(call_id, owner, method, params, wait_s, wait_s + SLACK_S)
        if answer.get("ok") is True:
            result = answer.get("result")
            return result if isinstance(result, dict) else {}
        error = answer.get("error")
        if not isinstance(error, dict):
            raise DoorUnavailable("an answer without a result")
        code = str(error.get("code"))[:MAX_PASSED_ON]
        raise DoorRefused(code, str(error.get("detail") or ""), error)

    def tell(self, call_id: str, owner: str | None, news: Mapping[str, Any]) -> None:
        """See `RelayDoor`."""
        if self._clock() < self._quiet_until:
            return
        try:
            self._post(call_id, owner, CHANGED, news, 0, NEWS_TIMEOUT_S)
        except DoorUnavailable as failed:
            log.warning("relays not told of a call: %s", failed, extra={"call_id": call_id})
            self._quiet_until = self._clock() + AVOIDED_S
        except Exception:
            log.exception("relays not told of a call", extra={"call_id": call_id})

    def _post(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        call_id: str,
        owner: str | None,
        method: str,
        params: Mapping[str, Any],
        wait_s: float,
        timeout_s: float,
    ) -> dict[str, Any]:
        path = f"/door/call/{call_id}"
        asked = {"id": f"req_{secrets.token_hex(16)}", "owner": owner, "method": method}
        body = json.dumps({**asked, "params": params, "wait_s": wait_s}).encode()
        signature = control.sign(self._secret, path, body, self._now_s())
        poster = self._poster(timeout_s)
        answer = poster.post(self._url + path, {control.HEADER: signature}, body)
        if answer.status == 401:
            log.error("relays refused our signature: check CHAMADE_CONTROL_SECRET")
        if answer.status != 200:
            raise DoorUnavailable(answer.error or f"HTTP {answer.status}")
        try:
            read = json.loads(answer.text)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise DoorUnavailable("no JSON object")
        return read
