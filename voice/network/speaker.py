"""Speaks in one call: has sentences synthesised one after the other, and sends their audio."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from voice import logs
from voice.core.conversation import Conversation
from voice.core.counters import Counters
from voice.core.playout import Piece
from voice.engines.base import EngineError, Synthesiser

TIMEOUT_S = 15.0
"""A sentence whose next audio takes longer than this has failed."""
LOOK_S = 0.1
"""Time between two looks whether the next sentence is due: it may wait for the caller."""


class Speaker:
    """The synthesis for one call."""

    def __init__(
        self, call_id: str, conversation: Conversation, synthesiser: Synthesiser, counters: Counters
    ) -> None:
        self._call_id, self._conversation = call_id, conversation
        self._synthesiser, self._counters = synthesiser, counters
        self._wake = asyncio.Event()
        self._piece: Piece | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin what is due, and stop what is not wanted any more."""
        if self._task and self._piece and self._piece.utterance.over:
            self._task.cancel()
        self._wake.set()

    async def run(self) -> None:
        """Speak what is queued, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                self._piece = self._conversation.next_piece(loop.time())
                if self._piece is None:
                    await self._until_woken()
                    continue
                self._task = asyncio.create_task(self._speak(self._piece))
                await asyncio.wait([self._task])
                if not self._task.cancelled():
                    self._task.result()
        finally:
            if self._task:
                self._task.cancel()

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _speak(self, piece: Piece) -> None:
        loop = asyncio.get_running_loop()
        begun, failed = loop.time(), False
        try:
            await self._synthesise(piece)
        except Exception as error:
            failed = True
            self._counters.count("synthesis_failures")
            if isinstance(error, EngineError | TimeoutError):
                why = str(error) or type(error).__name__
                logs.warning("a sentence was not synthesised", call_id=self._call_id, why=why)
            else:
                logs.exception("synthesis failed", call_id=self._call_id)
        else:
            self._counters.count("sentences", (loop.time() - begun) * 1000)
        self._conversation.playout.sentence_done(piece, loop.time(), failed=failed)

    async def _synthesise(self, piece: Piece) -> None:
        loop = asyncio.get_running_loop()
        utterance, half = piece.utterance, b""
        speech = self._synthesiser.speak(piece.sentence.text, utterance.voice, utterance.speed)
        async with aclosing(speech):
            while True:
                async with asyncio.timeout(TIMEOUT_S):
                    pcm = half + await anext(speech, b"")
                if not pcm:
                    return
                whole = len(pcm) & ~1
                half = pcm[whole:]
                if not self._conversation.playout.audio(piece, pcm[:whole], loop.time()):
                    return
