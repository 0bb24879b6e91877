"""A conversation with a recording world, a caller of tones, and a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common import g711
from tests.unit.voice.tones import loud, silence, tone, word
from voice.core.call_clock import CallClock
from voice.core.call_settings import CallSettings
from voice.core.conversation import Conversation
from voice.core.interfaces import Item
from voice.core.playout import Piece
from voice.core.turn_taking import Turn
from voice.core.voices import Voices
from voice.engines.base import Heard, VoiceInfo

VOICES = [VoiceInfo("ann", "en-US", "tones"), VoiceInfo("bea", "fr-FR", "tones")]
LANGUAGES = ["en-US", "fr-FR"]
MS_A_CHARACTER = 50
ANSWERED_AT = 1_700_000_000_000
ANSWERED_BEFORE_MS = 1000
SETTINGS = CallSettings(answered_at=ANSWERED_AT)


def voices() -> Voices:
    return Voices(VOICES, LANGUAGES, "", "")


class RecordingWorld:
    """What a conversation did. Turns are recognised when the scene says so."""

    def __init__(self) -> None:
        self.audio = bytearray()
        self.sent: list[Mapping[str, Any]] = []
        self.items: list[Item] = []
        self.fed = bytearray()
        self.turns: dict[int, bytes] = {}
        self.withdrawn: list[int] = []
        self.partials: list[Turn] = []
        self.counts: dict[str, list[float]] = {}
        self.asked: list[Turn] = []

    def send_audio(self, pcm: bytes) -> None:
        self.audio += pcm

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    def clear(self) -> None:
        self.sent.append({"type": "clear"})

    def feed(self, pcm: bytes) -> None:
        self.fed += pcm

    def recognise(self, turn: Turn) -> None:
        self.turns[turn.number] = bytes(turn.pcm)
        self.asked.append(turn)

    def withdraw(self, turn: Turn) -> None:
        self.withdrawn.append(turn.number)
        self.asked = [each for each in self.asked if each is not turn]

    def partial(self, turn: Turn) -> None:
        self.partials.append(turn)

    def report(self, item: Item) -> None:
        self.items.append(item)

    def count(self, what: str, ms: float = 0.0) -> None:
        self.counts.setdefault(what, []).append(ms)


class CallScene:
    """One call. Time passes only as the scene lets it, 20 ms with each frame of the caller's."""

    def __init__(self, settings: CallSettings = SETTINGS) -> None:
        self.now = 100.0
        self.world = RecordingWorld()
        clock = CallClock(settings.answered_at, ANSWERED_AT + ANSWERED_BEFORE_MS, self.now)
        self.call = Conversation(self.world, settings, voices(), loud, clock)
        self.ear_works = True
        self._requests = 0

    def start(self, *, resumed: bool = False) -> CallScene:
        self.call.message({"type": "start", "resumed": resumed}, self.now)
        return self

    def hear(self, pcm: bytes) -> None:
        """Let the caller say this in real time."""
        for at in range(0, len(pcm), 320):
            self.now += 0.02
            self.call.audio(g711.encode(pcm[at : at + 320]), self.now)
            self.settle()

    def caller_says(self, hz: float, ms: int = 400) -> None:
        """Let the caller speak, and be silent until the turn is over."""
        self.hear(tone(hz, ms) + silence(500))

    def wait(self, ms: int) -> None:
        self.hear(silence(ms))

    def settle(self) -> None:
        """Recognise what is to be recognised."""
        while self.ear_works and self.world.asked:
            turn = self.world.asked.pop(0)
            text = word(self.world.turns[turn.number])
            heard = Heard(text, 0.9) if text else None
            self.call.hearing.recognised(turn, heard, self.now)
        self.call.tick(self.now)

    def request(self, method: str, **params: Any) -> str:
        self._requests += 1
        request_id = f"req_{self._requests}"
        message = {"type": "request", "id": request_id, "method": method, "params": params}
        self.call.message(message, self.now)
        return request_id

    def say(self, utterance_id: str, text: str, **more: Any) -> str:
        return self.request("say", utterance_id=utterance_id, text=text, **more)

    def answer(self, request_id: str) -> Any:
        """The reply to a request, or None if there is none yet."""
        replies = [each for each in self.world.sent if each.get("id") == request_id]
        assert len(replies) <= 1
        return replies[0] if replies else None

    def result(self, request_id: str) -> Any:
        reply = self.answer(request_id)
        assert reply is not None
        assert reply["ok"], reply
        return reply["result"]

    def error(self, request_id: str) -> Any:
        reply = self.answer(request_id)
        assert reply is not None
        assert not reply["ok"]
        return reply["error"]

    def speak_piece(self) -> Piece | None:
        """Synthesise the sentence that is due, if there is one."""
        piece = self.call.next_piece(self.now)
        if piece is not None:
            ms = len(piece.sentence.text) * MS_A_CHARACTER
            self.call.playout.audio(piece, tone(1000, ms), self.now)
            self.call.playout.sentence_done(piece, self.now)
        return piece

    def speak(self) -> list[str]:
        """Synthesise everything that is due. Return the sentences."""
        spoken = []
        while (piece := self.speak_piece()) is not None:
            spoken.append(piece.sentence.text)
        return spoken

    def marks(self) -> list[str]:
        return [each["name"] for each in self.world.sent if each["type"] == "mark"]

    def play(self, *names: str) -> None:
        """Let playout reach these marks."""
        for name in names:
            self.call.message({"type": "mark", "name": name, "played": True}, self.now)

    def spoken_items(self, utterance_id: str) -> list[Item]:
        return [each for each in self.world.items if each.get("utterance_id") == utterance_id]

    def texts(self) -> list[str]:
        """What the transcript has of the caller."""
        return [each["text"] for each in self.world.items if each["type"] == "transcript"]
