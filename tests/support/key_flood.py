"""A flood of reported keys from the call of a tenant with slow endpoints, and a measurement of the
time that another tenant's `call.ringing` takes to its endpoint meanwhile.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from common import control
from common.rotation import signing
from local.credentials import Credentials
from tests.support.running import Live, Process

REPORTS_A_S, ENDPOINTS, SLOW_S = 70, 10, 15.0
_serials = itertools.count(1)


class Hook:
    """A receiver that notes when each call's `call.ringing` came, and answers after `slow_s`."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.rang: dict[str, float] = {}
        self.posts = 0
        self._answering = 0
        self._changed = threading.Condition()
        self.closing = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.posts += 1
                if event["type"] == "call.ringing":
                    hook.rang.setdefault(event["data"]["call"]["from"], time.time())
                with hook._noted_as_answering():
                    hook.closing.wait(slow_s)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @contextmanager
    def _noted_as_answering(self) -> Iterator[None]:
        self._note(+1)
        try:
            yield
        finally:
            self._note(-1)

    def _note(self, change: int) -> None:
        with self._changed:
            self._answering += change
            self._changed.notify_all()

    def wait_until_answering(self, posts: int, within_s: float = 60) -> None:
        """Wait until so many posts are being answered at the same time. TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._answering >= posts, within_s):
                raise TimeoutError(f"{self._answering} posts at a time, not {posts}")

    def close(self) -> None:
        """Answer what waits, and stop."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class Tenant:
    """An account of a running stack with a number, and endpoints that all lead to one receiver."""

    def __init__(self, process: Process, *, endpoints: int, slow_s: float) -> None:
        self.live, self.hook = Live.newcomer(process), Hook(slow_s)
        self._secret = Credentials.load(process.state_dir).control_secret
        for number in range(endpoints):
            body = {"url": f"{self.hook.url}/{number}", "events": ["call.*"]}
            self.live.rest.now("POST", "/api/webhooks", body)

    def ring(self) -> str:
        """Have a call come in; return the caller's number."""
        stack, serial = self.live.stack, next(_serials)
        url = f"{stack['api_url']}/webhooks/gateway/voice"
        form = {"CallSid": f"CA{time.time_ns() % 10**16:016d}{serial:016d}", "To": self.live.number}
        form |= {"From": f"+3365{serial:07d}", "CallStatus": "ringing"}
        signature = RequestValidator(stack["provider_auth_token"]).compute_signature(url, form)
        headers = {"X-Twilio-Signature": signature}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        _post(url, urlencode(form).encode(), headers)
        return form["From"]

    def ring_to_webhook_s(self, within_s: float = 90) -> float:
        """Return the seconds from an incoming call to `call.ringing` at the endpoint."""
        began = time.time()
        from_ = self.ring()
        while from_ not in self.hook.rang:
            if time.time() - began > within_s:
                return within_s
            time.sleep(0.01)
        return self.hook.rang[from_] - began

    def ringing_call(self) -> str:
        """Have a call come in; return its id."""
        from_ = self.ring()
        listed = self.live.rest.now("GET", "/api/calls?limit=100")["calls"]
        return str(next(call["call_id"] for call in listed if call["from"] == from_))

    def report_keys(self, call_id: str, digits: str) -> int:
        """Report keys of the call as a relay does; return the answer's status."""
        body = json.dumps(
            {
                "relay": "loud", "call_id": call_id, "type": "dtmf", "digits": digits,
                "sequence": time.time_ns() // 1_000_000 * 10 + next(_serials) % 10,
            }
        ).encode()  # fmt: skip
        path = "/media/report"
        signed = control.sign(signing(self._secret), path, body, int(time.time()))
        headers = {control.HEADER: signed, "Content-Type": "application/json"}
        return _post(self.live.stack["api_url"] + path, body, headers)


@contextmanager
def flood(tenant: Tenant, calls: int = 1) -> Iterator[dict[int, int]]:
    """Have keys reported all the time, `REPORTS_A_S` times a second in all; yield the number of
    answers of each status.
    """
    over, answers = threading.Event(), dict[int, int]()
    call_ids = [tenant.ringing_call() for _ in range(calls)]
    began, made = time.monotonic(), itertools.count()

    def press() -> None:
        while not over.is_set():
            number = next(made)
            over.wait(max(0.0, began + number / REPORTS_A_S - time.monotonic()))
            status = tenant.report_keys(call_ids[number % calls], "5")
            answers[status] = answers.get(status, 0) + 1

    pressing = [threading.Thread(target=press, daemon=True) for _ in range(12)]
    for each in pressing:
        each.start()
    try:
        yield answers
    finally:
        over.set()
        for each in pressing:
            each.join(30)


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, data=body, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def rings(quiet: Tenant, count: int, every_s: float) -> list[float]:
    """Measure the time from ring to webhook of `count` calls, one after the other."""
    found = []
    for _ in range(count):
        found.append(quiet.ring_to_webhook_s())
        time.sleep(max(0.0, every_s - found[-1]))
    return found
