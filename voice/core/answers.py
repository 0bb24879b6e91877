"""Requests that wait: `say` for the end of its utterance and the caller's reply, `listen` for what
the caller says next. Each is answered exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from common.voice_requests import Listen, ListenResult, Reply, Said, Say, SayResult, Uttered
from voice.core.interfaces import World
from voice.core.utterance import Utterance

MAX_WAITING = 32
"""Requests of a call that wait at a time."""
MAX_SAID = 20
"""Texts of both sides in one answer; the next `listen` returns the others."""
MAX_SAID_TEXT = 10_000
"""Characters of them together: in JSON they fit into the 64 KiB of a reply, whatever they are."""
HOLD_S = 24.0
"""A request is answered after this in any case: the application waits no longer."""


@dataclass(slots=True)
class _Saying:
    request_id: str
    utterance: Utterance
    until: float
    reply_s: float
    ended_at: float | None = None
    after_ms: int = 0
    """Only what the caller says after this is the reply; in ms since the call's answer."""


@dataclass(slots=True)
class _Listening:
    request_id: str
    after: int
    until: float


class Answers:
    """The waiting requests of one call.

    `finals` and `uttered` are the latest entries of the transcript, the caller's and the agent's.
    `heard_ms(utterance, now)` tells how much of an utterance was heard.
    """

    def __init__(
        self,
        world: World,
        finals: Sequence[Said],
        uttered: Sequence[Uttered],
        heard_ms: Callable[[Utterance, float], float],
    ) -> None:
        self._world, self._heard_ms = world, heard_ms
        self._finals, self._uttered = finals, uttered
        self._saying: list[_Saying] = []
        self._listening: list[_Listening] = []

    @property
    def full(self) -> bool:
        """Return whether no more requests may wait."""
        return len(self._saying) + len(self._listening) >= MAX_WAITING

    def error(self, request_id: str, code: str, detail: str, **more: Any) -> None:
        """Answer that a request was not done."""
        error = {"code": code, "detail": detail, **more}
        self._world.send({"type": "reply", "id": request_id, "ok": False, "error": error})

    def result(self, request_id: str, result: Any) -> None:
        """Answer that a request was done."""
        self._world.send({"type": "reply", "id": request_id, "ok": True, "result": result})

    def say(self, request_id: str, say: Say, utterance: Utterance, now: float, ms: int) -> None:
        """Answer when the utterance is over, and the caller has replied if that is wanted. `ms` is
        `now` in ms since the call's answer.
        """
        waiting = _Saying(request_id, utterance, now + HOLD_S, say.wait_for_reply_s)
        if not (say.wait or say.wait_for_reply_s):
            self._answer_say(waiting, now, None)
            return
        self._saying.append(waiting)
        if utterance.over:
            self._ended(waiting, now, ms)

    def listen(
        self, request_id: str, listen: Listen, last: int, now: float, speaking: bool
    ) -> None:
        """Answer with what was said after `listen.after`, at once or when the caller says
        something. `last` is the number of the transcript's last entry.
        """
        after = last if listen.after is None else listen.after
        waiting = _Listening(request_id, after, now + listen.wait_s)
        if listen.wait_s and not self._new(after):
            self._listening.append(waiting)
        else:
            self._answer_listen(waiting, speaking)

    def utterance_ended(self, utterance: Utterance, now: float, ms: int) -> None:
        """Answer those who wait for the end of this utterance."""
        for waiting in [each for each in self._saying if each.utterance is utterance]:
            self._ended(waiting, now, ms)

    def said(self, now: float, speaking: bool) -> None:
        """Answer those who wait for the caller: one more final text is there."""
        for waiting in list(self._saying):
            if waiting.ended_at is not None and (reply := self._reply(waiting)):
                self._finish(waiting, now, reply)
        for listening in [each for each in self._listening if self._new(each.after)]:
            self._listening.remove(listening)
            self._answer_listen(listening, speaking)

    def tick(self, now: float, speaking: bool) -> None:
        """Answer requests whose time is over. A caller who is speaking is heard out first."""
        for waiting in list(self._saying):
            ended = waiting.ended_at
            patient = ended is None or now < ended + waiting.reply_s or speaking
            if now >= waiting.until or not patient:
                self._finish(waiting, now, None)
        for listening in [each for each in self._listening if now >= each.until]:
            self._listening.remove(listening)
            self._answer_listen(listening, speaking)

    def close(self) -> None:
        """Answer everybody: the call is over."""
        waiting = [each.request_id for each in self._saying]
        waiting += [each.request_id for each in self._listening]
        self._saying.clear()
        self._listening.clear()
        for request_id in waiting:
            self.error(request_id, "call_over", "the call is over")

    def _ended(self, waiting: _Saying, now: float, ms: int) -> None:
        utterance = waiting.utterance
        waiting.ended_at = now
        waiting.after_ms = ms if utterance.started_ms is None else utterance.started_ms
        if utterance.why == "call_over":
            return  # `close` answers it
        reply = self._reply(waiting) if waiting.reply_s else None
        heard_out = utterance.state == "finished" or utterance.why == "barge_in"
        if reply or not (waiting.reply_s and heard_out):
            self._finish(waiting, now, reply)

    def _reply(self, waiting: _Saying) -> Reply | None:
        for said in self._finals:
            if said["ended_ms"] > waiting.after_ms:
                return Reply(
                    text=said["text"],
                    started_ms=said["started_ms"],
                    ended_ms=said["ended_ms"],
                    sequence=said["sequence"],
                )
        return None

    def _finish(self, waiting: _Saying, now: float, reply: Reply | None) -> None:
        self._saying.remove(waiting)
        self._answer_say(waiting, now, reply)

    def _answer_say(self, waiting: _Saying, now: float, reply: Reply | None) -> None:
        utterance = waiting.utterance
        if utterance.failed and utterance.over:
            detail = "the text could not be spoken; say it again"
            self.error(waiting.request_id, "synthesis_failed", detail)
            return
        heard_ms = utterance.heard_ms if utterance.over else self._heard_ms(utterance, now)
        heard = utterance.heard_text if utterance.over else utterance.text_until(heard_ms)
        self.result(
            waiting.request_id,
            SayResult(
                utterance_id=utterance.utterance_id,
                state=utterance.state,
                heard_text=heard,
                heard_ms=round(heard_ms),
                reply=reply,
            ),
        )

    def _new(self, after: int) -> bool:
        """Return whether the caller has said anything after this number."""
        return any(said["sequence"] > after for said in self._finals)

    def _answer_listen(self, waiting: _Listening, speaking: bool) -> None:
        """Answer with both sides' entries without a gap: the agent's may not be reported yet, and
        whoever asks again with `next` would never see those below it.
        """
        said = [each for each in self._finals if each["sequence"] > waiting.after]
        uttered = [each for each in self._uttered if each["sequence"] > waiting.after]
        following = _last_of_answer([*said, *uttered]) or waiting.after
        self.result(
            waiting.request_id,
            ListenResult(
                said=[each for each in said if each["sequence"] <= following],
                uttered=[each for each in uttered if each["sequence"] <= following],
                next=following,
                speaking=speaking,
            ),
        )


def _last_of_answer(entries: Sequence[Said | Uttered]) -> int | None:
    """Return the number of the last entry that one answer has room for, None if there is none."""
    last, text = None, 0
    for entry in sorted(entries, key=lambda entry: entry["sequence"])[:MAX_SAID]:
        text += len(entry["text"])
        if last is not None and text > MAX_SAID_TEXT:
            break
        last = entry["sequence"]
    return last
