"""Tests of the audio that waits to be sent in a call."""

from __future__ import annotations

import gc
import weakref

from gateway.legs.sip.call_audio import MAX_WAITING, SPARE, CallAudio
from gateway.rtp.g711 import SILENT_FRAME


class OneLeg:
    """A plane that hands its leg out."""

    def open(self, leg, on_failed):
        self.leg = leg
        return 10000

    def discard(self, leg):
        self.leg = None


def test_of_more_frames_than_may_wait_the_oldest_are_dropped():
    plane = OneLeg()
    audio = CallAudio(plane, "127.0.0.1", lambda error: None)
    for number in range(MAX_WAITING + 5):
        audio.play(bytes([number]) * 160)
    sent = [plane.leg.source() for _ in range(MAX_WAITING)]
    assert sent == [bytes([number]) * 160 for number in range(5, MAX_WAITING + 5)]
    assert plane.leg.source() is None


def test_after_a_stall_the_delay_of_the_audio_goes_with_the_next_pause():
    plane = OneLeg()
    audio = CallAudio(plane, "127.0.0.1", lambda error: None)
    speech = [bytes([1 + number]) * 160 for number in range(20)]
    for frame in speech[:8]:  # the call's clock makes up for a stall, later than that of RTP
        audio.play(frame)
    heard = []
    for frame in [*speech[8:], *[SILENT_FRAME] * 9, *speech]:
        heard.append(plane.leg.source())
        audio.play(frame)
    waiting = []
    while (frame := plane.leg.source()) is not None:
        waiting.append(frame)
    assert len(waiting) <= SPARE + 1
    assert [frame for frame in heard + waiting if frame != SILENT_FRAME] == speech * 2


def test_silence_is_sent_as_long_as_nothing_is_late():
    plane = OneLeg()
    audio = CallAudio(plane, "127.0.0.1", lambda error: None)
    for _ in range(5):
        audio.play(SILENT_FRAME)
        assert plane.leg.source() == SILENT_FRAME


def test_closed_audio_is_freed_without_a_collection_of_garbage():
    gc.collect()
    gc.disable()
    try:
        plane = OneLeg()
        audio = CallAudio(plane, "127.0.0.1", lambda error: None)
        audio.start(audio.play)
        audio.listen_for_keys(audio.press)
        leg = weakref.ref(plane.leg)
        audio.close()
        del audio
        assert leg() is None
    finally:
        gc.enable()
