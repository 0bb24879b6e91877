"""Tests of the audio that waits to be sent in a call."""

from __future__ import annotations

from gateway.legs.sip.call_audio import MAX_WAITING, CallAudio


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
