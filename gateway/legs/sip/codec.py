"""The messages between the gateway and a SIP child over a stream socket. No I/O; both sides use it.

A frame is a length (4 bytes, big-endian, of what follows), a kind (1 byte) and the payload:

* `CONTROL`: a JSON object, a command (`{"do": …}`) or an event (`{"on": …}`), listed below;
* `AUDIO`: any number of `call (4 bytes, big-endian) + 160 bytes of mu-law`: 20 ms each, so that a
  hundred calls cost one write every 20 ms and not a hundred.

Calls are named by numbers: the gateway gives even ones to those it dials, a child odd ones to those
that come in.

| command | fields |
|---|---|
| `trunk` | trunk_id, revision, host, port, transport, username, password, realm: to be registered |
| `drop` | trunk_id |
| `dial` | call, trunk_id, to, caller_id, call_sid |
| `answer`, `hangup` | call |
| `reject` | call, code, reason |
| `dtmf` | call, digit |

| event | fields |
|---|---|
| `ready` | the child's stack is up |
| `trunk` | trunk_id, revision, status (`registering`, `registered`, `failed`), sip_code, reason |
| `incoming` | call, trunk_id or null, headers, peer, sip_call_id, source |
| `ringing`, `answered` | call |
| `dtmf` | call, digit |
| `ended` | call, code, reason, broken, stats |
| `pulse` | lag_ms, calls, agents: once a second, the proof that the child is alive |
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

FRAME = 160
"""Bytes of one call's audio in an audio frame: 20 ms of mu-law at 8 kHz."""

CONTROL, AUDIO = 1, 2
MAX_FRAME = 1 << 20
"""Limit of a frame's length, in bytes; a larger one can only be a bug of ours."""

_HEAD = struct.Struct(">IB")
_CALL = struct.Struct(">I")
_SLICE = _CALL.size + FRAME

Message = dict[str, Any]


def control(**message: Any) -> bytes:
    """Return a control frame."""
    payload = json.dumps(message, separators=(",", ":")).encode()
    return _HEAD.pack(len(payload) + 1, CONTROL) + payload


class AudioBatch:
    """The collector of many calls' frames for one audio frame."""

    def __init__(self) -> None:
        self._slices = bytearray()

    def add(self, call: int, ulaw: bytes) -> None:
        """Add 160 bytes of mu-law of one call."""
        self._slices += _CALL.pack(call)
        self._slices += ulaw

    def take(self) -> bytes:
        """Return the frame of what was collected, b"" if nothing was; start a new one."""
        if not self._slices:
            return b""
        frame = _HEAD.pack(len(self._slices) + 1, AUDIO) + self._slices
        self._slices = bytearray()
        return frame


class Decoder:
    """The decoder of received bytes into control messages and audio slices."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message | tuple[int, bytes]]:
        """Return every message that is complete by now: a dict, or `(call, 160 bytes)`.

        Raises ValueError if the bytes are not valid.
        """
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEAD.size:
                length, kind = _HEAD.unpack_from(self._buffer, at)
                if not 1 <= length <= MAX_FRAME:
                    raise ValueError(f"a frame of {length} bytes")
                begin, end = at + _HEAD.size, at + 4 + length
                if len(self._buffer) < end:
                    break
                at = end
                payload = bytes(self._buffer[begin:end])
                if kind == AUDIO:
                    yield from _slices(payload)
                elif kind == CONTROL:
                    yield json.loads(payload)
                else:
                    raise ValueError(f"a frame of kind {kind}")
        finally:
            del self._buffer[:at]


def _slices(payload: bytes) -> Iterator[tuple[int, bytes]]:
    if len(payload) % _SLICE:
        raise ValueError("audio that is not cut into slices")
    for at in range(0, len(payload), _SLICE):
        yield _CALL.unpack_from(payload, at)[0], payload[at + _CALL.size : at + _SLICE]
