"""A call while it lasts: its leg, its script, its stream, its status callbacks.

Every end of a call goes through `_finish`, which has an effect only once; later attempts find the
call over. The status of each kind of end is decided in `outcomes.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.calls import outcomes
from gateway.calls.call import Call
from gateway.calls.hold import FarEndHold
from gateway.calls.leg import Leg, Quality, Referable, Release
from gateway.calls.outcomes import Outcome
from gateway.calls.pace import Pace
from gateway.calls.webhooks import Webhooks
from gateway.config import Config
from gateway.errors import CallFailedError
from gateway.media.early import EarlyMedia
from gateway.media.opening import Opening
from gateway.media.playout_queue import SILENT_FRAME
from gateway.media.stream import MediaStream
from gateway.media.ticker import Ticker
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from gateway.twiml import verbs
from gateway.twiml.interpreter import Interpreter, Program

KEYS_A_SECOND, KEYS_BURST = 20.0, 40.0
"""Limit of the keys of one far end."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The parts that all calls share."""

    config: Config
    webhooks: Webhooks
    ticker: Ticker
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Plan:
    """The request that began the call: its documents, callbacks and limits."""

    program: Program
    status_url: str | None = None
    status_method: verbs.Method = "POST"
    events: frozenset[str] = field(default_factory=lambda: frozenset({"completed"}))
    ring_timeout: float | None = None
    time_limit: float = 4 * 3600


class LiveCall:
    """A live call. Implements `LegEvents` for its leg, `Line` and `Fetcher` for its script."""

    def __init__(
        self, call: Call, plan: Plan, switch: Switch, on_end: Callable[[LiveCall], None]
    ) -> None:
        self.call = call
        self._plan = plan
        self._switch = switch
        self._on_end = on_end
        self._log = logs.of_call(__name__, call.sid)
        self._leg: Leg | None = None
        self._stream: MediaStream | None = None
        self._script: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._early = EarlyMedia()
        self._keys = Pace(KEYS_A_SECOND, KEYS_BURST)
        self._hold = FarEndHold(self._tell_hold)
        self._sequence = 0
        self._interpreter = Interpreter(self, self, switch.config.max_redirects)

    # Start of a call.

    def receive(self, leg: Leg) -> None:
        """Let an inbound call ring, and run its script."""
        self._leg = leg
        self.call.status = "ringing"
        self.call.ringing_at = time.time()
        leg.attach(self, self.call.sid)
        leg.ring()
        self._script = asyncio.create_task(self._run(self._plan.program))

    def dial(self, leg: Leg | None) -> None:
        """Start an outbound call by ringing the called party; None if nobody can be reached."""
        self._leg = leg
        if leg is None:
            self._finish(outcomes.NO_ROUTE, "no route to the number")
            return
        self.call.status = "initiated"
        self._tell("initiated")
        if self._plan.ring_timeout is not None:
            self._after(self._plan.ring_timeout, outcomes.NOT_IN_TIME, "not answered in time")
        leg.attach(self, self.call.sid)
        leg.ring()

    # Commands of the REST API.

    def redirect(self, program: Program) -> None:
        """Stop the present script and run `program` instead."""
        if self.call.ended:
            return
        old = self._script
        if old is not None:
            old.cancel()
        self._script = asyncio.create_task(self._replace(old, program))

    def clear(self, reason: str = "hung up over REST") -> None:
        """End the call: `completed` once answered, `canceled` before."""
        self._finish(outcomes.of_clearing(self.call), reason)

    def give_up(self, reason: str) -> None:
        """End the call as `failed`: neither side wanted it to end."""
        self._finish(outcomes.BROKEN, reason)

    def refer(self, target: str) -> bool:
        """Ask the far end to call somebody else. Return False if that is not possible now."""
        leg = self._leg
        ready = self.call.answered and not self.call.ended
        if not (ready and isinstance(leg, Referable) and leg.refer(target)):
            return False
        self.call.refer_status = (
            None  # posts from now on tell no outcome until this one has its own
        )
        return True

    # LegEvents.

    def on_trunk(self, trunk_id: str) -> None:
        """Note that an outbound call goes on by another trunk; all webhooks from now on say so."""
        self.call.trunk_id = trunk_id

    def on_ringing(self) -> None:
        """Note that the far end of an outbound call rings."""
        if self.call.status == "initiated":
            self.call.status = "ringing"
            self.call.ringing_at = time.time()
            self._tell("ringing")

    def on_answered(self) -> None:
        """Run the script of an outbound call, now that the far end has answered."""
        if not self.call.ended and not self.call.answered:
            self._answered()
            self._script = asyncio.create_task(self._run(self._plan.program))

    def on_audio(self, frame: bytes) -> None:
        """Pass on a frame from the far end; keep it for a moment if no stream is up."""
        if self._stream is not None:
            self._stream.hear(frame)
        else:
            self._early.keep_frame(frame)

    def on_dtmf(self, digit: str) -> None:
        """Pass on a key, or keep it for the next stream. Drop it if keys come faster than a person
        can press them.
        """
        if not self._keys.take():
            return
        if self._stream is not None:
            self._stream.dtmf(digit)
        else:
            self._early.keep_key(digit)

    def on_hold(self, held: bool) -> None:
        """Tell that the far end holds the call, or no longer does."""
        self._hold.change(held)

    def on_refer(self, status: int) -> None:
        """Tell the outcome of a transfer; after one that went through the call is over."""
        self.call.refer_status = status
        self._log.info("transfer", extra={"refer_status": status})
        if self._plan.events:
            self._post()
        if 200 <= status < 300:
            self._finish(outcomes.COMPLETED, "the far end calls somebody else")

    def on_quality(self, quality: Quality, mos: float) -> None:
        """Tell the application, whichever callbacks it has asked for: they are Twilio's."""
        if self.call.ended or not self._plan.status_url:
            return
        self._log.info("the audio is %s", quality, extra={"mos": round(mos, 2)})
        self._post(MediaQuality=quality, MediaMos=f"{mos:.2f}")

    def on_media(self, facts: dict[str, str]) -> None:
        """Keep them for the last callback."""
        self.call.media = facts

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """End the call, because the far end is gone."""
        self._finish(outcomes.of_far_end(self.call, sip_code), reason)

    def on_broken(self, reason: str) -> None:
        """End the call as `failed`, because the leg is lost and neither side ended it."""
        self._finish(outcomes.BROKEN, reason)

    # Line and Fetcher, for the script.

    async def answer(self) -> None:
        """Answer the call, unless it is answered already."""
        if not self.call.answered and self._leg is not None:
            await self._leg.answer()
            if not self.call.ended:
                self._answered()

    async def connect(self, verb: verbs.Connect) -> bool:
        """Run a media stream until it closes."""
        config, webhooks = self._switch.config, self._switch.webhooks
        opening = Opening(
            url=verb.url,
            signature=webhooks.signature(verb.url),
            account_sid=config.account_sid,
            call_sid=self.call.sid,
            parameters=verb.parameters,
        )
        stream = self._stream = MediaStream(opening, self._switch.metrics, self._press)
        stream.replay(self._early)
        self._switch.metrics.streams_open += 1
        try:
            return await stream.run()
        finally:
            self._switch.metrics.streams_open -= 1
            stream.close()
            if self._stream is stream:
                self._stream = None

    async def fetch(self, url: str, method: verbs.Method) -> bytes:
        """Return the document at `url`; the request has the present facts of the call."""
        params = self.call.params()
        if self.call.direction == "inbound" and not self.call.answered:
            works = self._switch.config.redirect_ringing_works
            params["RedirectRinging"] = "work" if works else "21220"
        return await self._switch.webhooks.document(url, method, params)

    # Continuation and end.

    async def _replace(self, old: asyncio.Task[None] | None, program: Program) -> None:
        if old is not None:
            await asyncio.wait([old])  # its stream must be closed before another one opens
        await self._run(program)

    async def _run(self, program: Program) -> None:
        try:
            ending = await self._interpreter.run(program)
            if isinstance(ending, verbs.Hangup):
                await self.answer()  # only <Reject> leaves a call unanswered
        except CallFailedError as error:
            self._log.error("the call fails: %s", error, extra={"error_code": error.code})
            self._finish(outcomes.BROKEN, str(error))
        except Exception:
            self._log.exception("the script broke; this is the gateway's fault")
            self._finish(outcomes.BROKEN, "internal error")
        else:
            self._finish(outcomes.of_script(self.call, ending), "the script ended")

    def _answered(self) -> None:
        self.call.answered_at = time.time()
        self.call.status = "in-progress"
        self._switch.ticker.add(self._tick)
        self._after(self._plan.time_limit, outcomes.COMPLETED, "time limit")
        self._log.info("answered")
        self._tell("answered")
        self._hold.begin()

    def _tick(self) -> None:
        # From answer to end the far end gets a frame every 20 ms, with or without a stream.
        if self._leg is not None:
            stream = self._stream
            self._leg.play(stream.tick() if stream is not None else SILENT_FRAME)

    def _press(self, digit: str) -> None:
        if self._leg is not None:
            self._leg.press(digit)

    def _after(self, seconds: float, outcome: Outcome, reason: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._finish, outcome, reason)

    def _tell(self, event: str) -> None:
        if event in self._plan.events:
            self._post()

    def _post(self, **more: str) -> None:
        """Send a status callback, if anybody wants them."""
        if self._plan.status_url:
            params = self.call.status_params(self._sequence, time.time()) | more
            self._sequence += 1
            self._switch.webhooks.notify(self._plan.status_url, self._plan.status_method, params)

    def _tell_hold(self, held: bool) -> None:
        status = "held" if held else "unheld"
        self._log.info("the far end's hold", extra={"hold": status})
        if self._plan.events:
            self._post(HoldStatus=status)

    def _finish(self, outcome: Outcome, reason: str) -> None:
        call = self.call
        if call.ended:
            return
        status, sip_code = outcome
        call.status, call.sip_code, call.ended_at = status, sip_code, time.time()
        if self._timer is not None:
            self._timer.cancel()
        self._switch.ticker.discard(self._tick)
        self._hold.stop()
        if self._stream is not None:
            self._stream.close()
        if self._leg is not None:
            release = Release(status, sip_code, reason)
            if call.direction == "inbound" and not call.answered:
                self._leg.reject(release)
            else:
                self._leg.hangup(release)
        if self._script is not None and self._script is not asyncio.current_task():
            self._script.cancel()
        self._log.info("ended: %s", reason, extra={"status": status, "sip_code": sip_code})
        self._switch.metrics.ended[status] += 1
        self._tell("completed")
        self._on_end(self)
