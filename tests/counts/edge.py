"""Everything around the application, driven by hand and counted: a provider with its ringing loop, a
relay with its watch, the table's stream, the state machines, an agent.

Who asks when is what the parts do: a poll a second (`ring.py`), a watch every 12.5 s (10 to 15,
`relay/watch.py`). The clock is moved, nothing is waited for, so a minute costs a second.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import app
from chalicelib.domain.control import HEADER, sign
from tests.counts.machines import walk
from tests.counts.meter import Meter
from tests.support.http import CONTROL_SECRET, Api
from tests.support.world import World

POLL_S, WATCH_S = 1.0, 12.5
RELAY = "relay-a"


class Edge:
    """The outside of one world. `lambdas`: invocations by what they are for."""

    def __init__(self, api: Api, world: World, meter: Meter) -> None:
        self.api, self.world, self.meter = api, world, meter
        self.lambdas: Counter[str] = Counter()
        self.transitions = 0
        self._streamed = 0
        self._timers: list[str] = []
        self._cursor: str | None = None

    # The provider

    def post(self, kind: str, sid: str, status: str = "ringing", **more: str) -> str:
        """A webhook; the document that it is answered with."""
        dialled = more.pop("dialled", None)
        form = {
            "CallSid": sid,
            "AccountSid": "AC" + "0" * 32,
            "From": "+33612345678",
            "To": self.world.number,
            "CallStatus": status,
            "Direction": "outbound-api" if dialled else "inbound",
            **more,
        }
        answered = self.api.webhook(kind, form, dialled=dialled)
        assert answered.status_code in (200, 204), answered.body
        self._done("webhook")
        return str(answered.body.decode())

    def ring(self, seconds: float) -> str:
        """A call comes in and rings so long, polled each second; its sid."""
        sid = self.world.sid()
        self.post("voice", sid)
        self.poll(sid, seconds)
        return sid

    def poll(self, sid: str, seconds: float) -> None:
        """The ringing loop, for so long or until it is told to do something else."""
        until = self.world.clock.ms + round(seconds * 1000)
        while self.world.clock.ms + POLL_S * 1000 <= until:
            self.world.clock.advance(POLL_S)
            if "<Pause" not in self.post("ringing", sid):
                return

    # The relay

    def attach(self, call: dict[str, Any], document: str) -> None:
        """Both legs come in."""
        token = document.partition("/media/provider/")[2].partition('"')[0]
        self._control(
            "/media/attach",
            {
                "leg": "provider",
                "relay": RELAY,
                "token": token,
                "handshake": {"url": "wss://relay.test/", "signature": "good"},
            },
        )
        url = call["audio"]["url"]
        at = url.partition("/media/")[2]
        call_id, _, agents = at.partition("?token=")
        body = {"leg": "agent", "relay": RELAY, "call_id": call_id.split("/")[-1], "token": agents}
        self._control("/media/attach", body)

    def talk(self, call_id: str, seconds: float) -> None:
        """Audio flows, and now and then the relay asks how the call is."""
        until = self.world.clock.ms + round(seconds * 1000)
        while self.world.clock.ms + WATCH_S * 1000 <= until:
            self.world.clock.advance(WATCH_S)
            self.report(call_id, "watch")
        self.world.clock.ms = until

    def report(self, call_id: str, kind: str) -> None:
        """What the relay says of its sockets."""
        self._control("/media/report", {"relay": RELAY, "call_id": call_id, "type": kind})

    def _control(self, path: str, body: dict[str, Any]) -> None:
        answered = self.api.control(path, body)
        assert answered.status_code == 200, answered.body
        self._done("relay")

    # The agent

    def rest(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A request with the account's key."""
        answered = self.api.call(method, path, body)
        assert answered.status_code < 300, answered.body
        self._done("agent")
        return dict(answered.json_body or {})

    def read_events(self) -> list[dict[str, Any]]:
        """What the agent's long poll brings, which had been waiting for it."""
        after = f"&after={self._cursor}" if self._cursor else ""
        page = self.rest("GET", f"/api/events?wait=0{after}")
        self._cursor = page["cursor"]
        return list(page["events"])

    # What AWS does by itself

    def _done(self, whose: str) -> None:
        self.lambdas[whose] += 1
        self._stream()

    def _stream(self) -> None:
        """The stream's records that pass the filter of `infra/fan_out_events.json`, to their
        function; deliveries that it sends are carried out."""
        fresh = self.meter.stream[self._streamed :]
        self._streamed = len(self.meter.stream)
        passing = [record for record in fresh if _passes(record)]
        if passing:
            answer = app.fan_out_events({"Records": passing}, None)
            assert answer == {"batchItemFailures": []}
            self.lambdas["fan_out_events"] += 1
        sent, self.world.courier.sent = self.world.courier.sent, []
        for delivery in sent:
            given = {
                "account_id": delivery.account_id,
                "endpoint_id": delivery.endpoint_id,
                "delivery_id": delivery.delivery_id,
                "run": delivery.run,
            }
            self._execute("deliver_event", given)

    def deadlines(self) -> None:
        """The minute is over: the executions that wait for it go on."""
        for call_id in self.world.timer.started:
            if call_id not in self._timers:
                self._timers.append(call_id)
                self._execute("expire_ring", {"call_id": call_id})
        self._stream()

    def _execute(self, function: str, given: dict[str, Any]) -> None:
        file = {
            "expire_ring": "ring_timeout.asl.json",
            "deliver_event": "deliver_event.asl.json",
        }[function]

        def task() -> dict[str, Any]:
            self.lambdas[function] += 1
            result: dict[str, Any] = getattr(app, function)(given, None)
            return result

        self.transitions += walk(file, task, lambda _: None)


def _passes(record: dict[str, Any]) -> bool:
    pk = record["dynamodb"]["Keys"]["pk"]["S"]
    return bool(record["eventName"] == "INSERT" and pk.endswith("#OUTBOX"))
