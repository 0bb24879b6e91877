"""Feeds one message to every codec of the wires: only the errors that its documentation names may
come out, and what two of them say of one message must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from picows import WSMsgType

from common import media_stream
from gateway.media.stream import MediaStream, Opening
from gateway.telemetry.metrics import Metrics
from relay.protocol import agent, door_messages
from relay.protocol.agent import BadMessageError
from relay.protocol.door_messages import MalformedError
from relay.protocol.twilio_dialect import TwilioDialect

SID = "MZ" + "1" * 32
MESSAGES = {
    "media stream": [
        media_stream.Outgoing(SID, "AC1", "CA1").connected(),
        media_stream.Outgoing(SID, "AC1", "CA1").start({"a": "b"}, keys=True),
        media_stream.Outgoing(SID, "AC1", "CA1").media(bytes(range(40))),
        media_stream.Outgoing(SID, "AC1", "CA1").dtmf("5"),
        media_stream.Outgoing(SID, "AC1", "CA1").mark("é"),
        media_stream.Outgoing(SID, "AC1", "CA1").stop(),
        media_stream.MediaEncoder(SID)(bytes(range(160))),
        media_stream.encode(media_stream.Clear(SID)),
    ],
    "agent": [
        b'{"type":"clear"}',
        b'{"type":"mark","name":"greeting"}',
        b'{"type":"dtmf","digits":"12#w*"}',
        b'{"type":"hangup"}',
        b'{"type":"reply","id":"1","ok":true,"result":{"text":"yes"}}',
        b'{"type":"reply","id":"1","ok":false,"error":{"code":"busy","detail":"later"}}',
    ],
    "door": [
        b'{"id":"12345678","method":"clear"}',
        b'{"id":"12345678","method":"dtmf","params":{"digits":"1"},"owner":"http://10.0.0.1:8"}',
        b'{"id":"12345678","method":"request","wait_s":2.5,"params":{"method":"say","params":{}}}',
    ],
}
"""Valid messages, by the wire on which they come."""

Codec = Callable[[bytes], object]
"""Feeds a message to a codec. Raises what it must not raise."""


class Wrong(AssertionError):
    """A codec said something of a message that it must not say."""


class Codecs:
    """Every codec, by the wire whose messages it is for. `errors` counts what came out."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        """By codec and error: how often it came."""
        self._from_stream = media_stream.MediaDecoder(SID)
        self._own = agent.ChamadeDialect(agent.AudioFormat(), takes_requests=True)
        self._twilio = TwilioDialect(lambda _code, _text: None)
        self._twilio.stream_sid = SID
        self._gateway = _a_stream_of_the_gateway()
        self.of_wire: dict[str, list[Codec]] = {
            "media stream": [self._provider, self._to_provider, self._twilio_agent, self._stream],
            "agent": [self._agent, self._agent_with_replies],
            "door": [self._door],
        }

    def feed(self, wire: str, text: bytes) -> None:
        """Feed a message to the codecs of a wire. Raises whatever must not come out of one."""
        for codec in self.of_wire[wire]:
            codec(text)

    def _provider(self, text: bytes) -> None:
        """The relay's side of a provider's stream: both paths, which must agree."""
        fast = media_stream.decode_media(memoryview(text))
        parsed = self._parsed(media_stream.parse_from_provider, text)
        if isinstance(parsed, media_stream.Media) and parsed.media.payload != fast:
            raise Wrong("the hot path hears something else")

    def _to_provider(self, text: bytes) -> None:
        """The gateway's side of a stream, and the relay towards a Twilio agent."""
        fast = self._from_stream(memoryview(text))
        parsed = self._parsed(media_stream.parse_to_provider, text)
        if isinstance(parsed, media_stream.Media):
            wanted = parsed.media.payload if parsed.stream_sid == SID else None
            if wanted != fast:
                raise Wrong("the hot path hears something else")

    def _parsed(self, parse: Callable[[bytes], object], text: bytes) -> object:
        try:
            return parse(text)
        except ValueError as error:
            if type(error) is not ValueError or not str(error).startswith("not a media"):
                raise
            self._count("media stream", "ValueError")
            return None

    def _twilio_agent(self, text: bytes) -> None:
        try:
            self._twilio.parse(text)
        except BadMessageError as error:
            self._count("twilio agent", error.code)

    def _agent(self, text: bytes) -> None:
        self._answered(lambda: agent.parse(text))

    def _agent_with_replies(self, text: bytes) -> None:
        self._answered(lambda: self._own.parse(text))

    def _answered(self, parse: Callable[[], object]) -> None:
        try:
            parse()
        except BadMessageError as error:
            self._own.error(error.code, str(error)).decode()  # type: ignore[union-attr]
            if error.code not in ("bad_json", "unknown_type", "bad_field") or len(str(error)) > 200:
                raise Wrong(f"{error.code}: {error}") from error
            self._count("agent", error.code)

    def _door(self, text: bytes) -> None:
        try:
            command = door_messages.parse(text)
            again = door_messages.parse(door_messages.passed_on(command))
        except MalformedError as error:
            door_messages.failed({"code": "bad_command", "detail": str(error)}).decode()
            self._count("door", "MalformedError")
            return
        if (again.id, again.method, bytes(again.params), again.owner) != (
            command.id, command.method, bytes(command.params), None,
        ):  # fmt: skip
            raise Wrong("another command is passed on")
        for type_ in (door_messages.AgentRequest, door_messages.Keys):
            try:
                door_messages.parse_params(command.params, type_)
            except MalformedError:
                self._count("door", "MalformedError of params")

    def _stream(self, text: bytes) -> None:
        """A whole stream of the gateway, as its socket feeds it."""
        frame = SimpleNamespace(
            msg_type=WSMsgType.TEXT, fin=True, get_payload_as_memoryview=lambda: memoryview(text)
        )
        self._gateway.on_ws_frame(_TRANSPORT, frame)  # type: ignore[arg-type]
        self._gateway.tick()

    def _count(self, codec: str, error: str) -> None:
        name = f"{codec}: {error}"
        self.errors[name] = self.errors.get(name, 0) + 1


_TRANSPORT: Any = SimpleNamespace(
    is_close_frame_sent=False,
    is_disconnected=False,
    send=lambda *_: None,
    underlying_transport=SimpleNamespace(get_write_buffer_size=lambda: 0),
)


def _a_stream_of_the_gateway() -> MediaStream:
    stream = MediaStream(Opening("ws://127.0.0.1:1/", "", "AC1", "CA1", {}), Metrics())
    stream.sid = SID
    stream.on_ws_connected(_TRANSPORT)
    return stream
