"""Everything around the application, driven by hand and counted: a provider with its ringing loop,
a relay with its watch, the table's stream, the state machines, an agent.

Polls come at the pace of the parts: as the documents of a ringing call say, and as often as a relay
with a door reports on average. The clock is moved, nothing is waited for, so a minute costs a
second.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from twilio.request_validator import RequestValidator

import app
from chalicelib.services.account import sessions
from common import media_token
from common.call_facts import PATH, FactsReport, Mark, Piece, Sums, pack
from relay.core.timeouts import WATCH_WITH_DOOR_S
from tests.counts.effort import Effort
from tests.counts.machines import walk
from tests.counts.meter import Meter
from tests.support.http import AUTH_TOKEN, Api
from tests.support.world import World

WATCH_S = 1.25 * WATCH_WITH_DOOR_S
"""Up to half as much is added at random (`relay/core/status_polling.py`)."""
REDIRECTS = {"RedirectRinging": "work"}
"""The parameter by which our gateway says that a ringing call takes a redirect."""
_PAUSE = re.compile(r'<Pause length="(\d+)"')
RELAY, STREAM_URL = "relay-a", "wss://relay.test/media/provider/token"
HANDSHAKE = {
    "url": STREAM_URL,
    "signature": RequestValidator(AUTH_TOKEN).compute_signature(STREAM_URL, {}),
}
_MACHINES = {"expire_ring": "ring_timeout.asl.json", "deliver_event": "deliver_event.asl.json"}


class Edge:
    """The outside of one world. `lambdas`: invocations by what they are for."""

    def __init__(self, api: Api, world: World, meter: Meter) -> None:
        self.api, self.world, self.meter = api, world, meter
        self.lambdas: Counter[str] = Counter()
        self.effort = Effort()
        self.transitions = self.executions = 0
        self._streamed = self._timed = self._rest = self._posts = 0
        self._cursor = "latest"
        self._dialled: list[str] = []
        world.provider.meanwhile = lambda _, sid: self._dialled.append(sid)

    def skip_past(self, other: Edge) -> None:
        """Begin where another has stopped: its timers, its place in the inbox."""
        self._timed, self._cursor = other._timed, other._cursor
        self._rest, self._posts = self._told(), len(self.world.receiver.posted)

    def counted(self) -> dict[str, float]:
        """All counts, by name; nothing that there was none of."""
        counts = {
            **{f"dynamodb {name}": n for name, n in sorted(self.meter.operations.items())},
            "read units": self.meter.read_units,
            "write units": self.meter.write_units,
            "stream records": len(self.meter.stream),
            **{f"lambda {name}": n for name, n in sorted(self.lambdas.items())},
            "executions": self.executions,
            "transitions": self.transitions,
            "provider REST": self._told() - self._rest,
            "webhooks out": len(self.world.receiver.posted) - self._posts,
        }
        return {name: n for name, n in counts.items() if n}

    def _told(self) -> int:
        provider = self.world.provider
        return len(provider.steered) + len(provider.hung_up) + len(provider.dialled)

    # The provider

    def post(self, kind: str, sid: str, status: str = "ringing", **more: str) -> str:
        """A webhook; the document that it is answered with. `dialled`: the call it is about."""
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
        with self.effort.of("webhook"):
            answered = self.api.webhook(kind, form, dialled=dialled)
        assert answered.status_code in (200, 204), answered.body
        self._done("webhook")
        return str(answered.body.decode())

    def ring(self, seconds: float) -> str:
        """A call comes in and rings so long, polled as its documents say; its sid."""
        sid = self.world.sid()
        until = self.world.clock.ms + round(seconds * 1000)
        document = self.post("voice", sid, **REDIRECTS)
        while pause := _PAUSE.search(document):
            pause_s = int(pause[1])
            if self.world.clock.ms + pause_s * 1000 > until:
                break
            self.world.clock.advance(pause_s)
            document = self.post("ringing", sid, **REDIRECTS)
        return sid

    def dialled(self) -> str:
        """The sid of the call that was just placed."""
        return self._dialled[-1]

    # The relay

    def attach(self, call_id: str) -> None:
        """Both legs come in."""
        expires = self.world.clock.ms // 1000 + 60
        secret = self.world.deps.secrets.media
        for leg, more in (("provider", {"handshake": HANDSHAKE}), ("agent", {"call_id": call_id})):
            token = media_token.issue(secret, call_id, leg, expires)  # type: ignore[arg-type]
            self._control("/media/attach", {"leg": leg, "relay": RELAY, "token": token, **more})

    def talk(self, call_id: str, seconds: float) -> None:
        """Audio flows, and now and then the relay asks how the call is."""
        began, until = self.world.clock.ms, self.world.clock.ms + round(seconds * 1000)
        self.tell_facts(call_id, began, seconds)
        while self.world.clock.ms + WATCH_S * 1000 <= until:
            self.world.clock.advance(WATCH_S)
            self.watch(call_id)
        self.world.clock.ms = until

    def watch(self, call_id: str) -> None:
        """The relay asks how the call is."""
        self._control("/media/report", {"relay": RELAY, "call_id": call_id, "type": "watch"})

    def tell_facts(self, call_id: str, began: int, seconds: float) -> None:
        """The relay tells of the audio, each minute and at the end: as many levels as it has."""
        step, steps = 0, round(seconds * 10)
        for sequence, upto in enumerate((*range(600, steps, 600), steps), start=1):
            levels = pack([number % 16 for number in range(step, upto)])
            piece = Piece(step, levels, levels, (Mark("clear", step * 100, 500),) * 4)
            sums = Sums(frames=upto * 5, streams=1, agents=1, agent_ms=5, agent_audio_ms=700)
            report = FactsReport(call_id, began, sequence, sums, piece, last=upto == steps)
            self._control(PATH, asdict(replace(report, relay=RELAY)))
            step = upto

    def _control(self, path: str, body: dict[str, Any]) -> None:
        with self.effort.of("relay"):
            answered = self.api.control(path, body)
        assert answered.status_code == 200, answered.body
        self._done("relay")

    # The agent, the dashboard

    def rest(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """A request with the account's key, or with the headers of a browser."""
        with self.effort.of("agent"):
            answered = self.api.call(method, path, body, key="" if headers else None, **headers)
        assert answered.status_code < 300, answered.body
        self._done("agent")
        return dict(answered.json_body or {})

    def read(self, wait_s: int = 0, **headers: str) -> list[dict[str, Any]]:
        """Read the inbox from the last cursor on."""
        query = f"after={self._cursor}&wait={wait_s}"
        page = self.rest("GET", f"/api/events?{query}", **headers)
        self._cursor = page["cursor"]
        return list(page["events"])

    def browser(self) -> dict[str, str]:
        """Headers of a dashboard that is signed in."""
        session = sessions.begin(self.world.deps, self.world.key)
        assert session is not None
        return {
            "Cookie": f"chamade_session={session[1]}",
            "X-Chamade-Session": "1",
            "Sec-Fetch-Site": "same-origin",
        }

    # What AWS does by itself

    def deadlines(self) -> None:
        """The minute is over: the executions that wait for it go on."""
        due, self._timed = self.world.timer.started[self._timed :], len(self.world.timer.started)
        for call_id in due:
            self._execute("expire_ring", {"call_id": call_id})
        self._stream()

    def sweep(self) -> None:
        """The schedule's minute."""
        app.sweep({}, None)
        self._done("sweep")

    def _done(self, whose: str) -> None:
        self.lambdas[whose] += 1
        self._stream()

    def _stream(self) -> None:
        """Hand what the stream's filter (`infra/fan_out_events.json`) lets through to its function,
        and run the deliveries.
        """
        fresh = self.meter.stream[self._streamed :]
        self._streamed = len(self.meter.stream)
        passing = [record for record in fresh if _passes(record)]
        if passing:
            with self.effort.of("fan_out_events"):
                answer = app.fan_out_events({"Records": passing}, None)
            assert answer == {"batchItemFailures": []}
            self.lambdas["fan_out_events"] += 1
            self._stream()
        sent, self.world.scheduler.sent = self.world.scheduler.sent, []
        for delivery in sent:
            names = ("account_id", "endpoint_id", "delivery_id", "run")
            given = {name: getattr(delivery, name) for name in names}
            self._execute("deliver_event", given)

    def _execute(self, function: str, given: dict[str, Any]) -> None:
        def task() -> dict[str, Any]:
            self.lambdas[function] += 1
            with self.effort.of(function):
                result: dict[str, Any] = getattr(app, function)(given, None)
            return result

        self.executions += 1
        self.transitions += walk(_MACHINES[function], task)
        self._stream()


def _passes(record: dict[str, Any]) -> bool:
    pk = record["dynamodb"]["Keys"]["pk"]["S"]
    return bool(record["eventName"] == "INSERT" and pk.endswith("#OUTBOX"))
