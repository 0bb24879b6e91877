"""Connects a call's recorder to its audio: what the caller says, and what is played to the caller.

A call that is not recorded pays nothing: its audio goes the way that it goes without a recorder.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.core.agent_to_caller import AgentToCaller
from relay.core.interfaces import BridgeActions
from relay.core.recorder import Recorder
from relay.protocol.recording import WantedRecording

Receive = Callable[[bytes, float], None]
"""(mu-law from the caller, now)."""


class CallRecording:
    """The recording of one call, with the beep that tells of it. The time is passed in."""

    def __init__(self, actions: BridgeActions, to_caller: AgentToCaller) -> None:
        self._recorder = Recorder(actions.recorded, actions.recording_over)
        self._to_caller = to_caller

    def follow(self, wanted: WantedRecording | None, began: float, now: float) -> None:
        """Record as the application wants; `began`: when the recording did, on the clock of
        `now`.
        """
        self._recorder.follow(wanted, began, now)
        self._to_caller.record(self._recorder if self._recorder.on else None)
        self._beep(now)

    def tap(self, receive: Receive) -> Receive:
        """Return the function that takes the caller's audio: `receive`, and the recorder if it is
        on.
        """
        if not self._recorder.on:
            return receive
        said = self._recorder.said

        def record_and_receive(ulaw: bytes, now: float) -> None:
            said(ulaw, now)
            receive(ulaw, now)

        return record_and_receive

    def change_stream(self, now: float) -> None:
        """Note that the caller's stream ended, or another one began."""
        self._recorder.change_stream(now)
        self._beep(now)

    def end(self) -> None:
        """End the recording here, with the audio so far."""
        self._recorder.end()

    def _beep(self, now: float) -> None:
        """Tell the caller that the recording begins, as soon as there is a stream."""
        if self._to_caller.streaming and self._recorder.take_beep():
            self._to_caller.beep(now)
