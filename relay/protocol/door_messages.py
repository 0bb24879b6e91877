"""The messages of the relay's door: commands of the application, and their answers.

docs/contracts.md specifies them. The parameters of a request to an agent, and its result, are JSON
that is passed on unread.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from relay.protocol.agent import Digits

MAX_BODY: Final = 64 * 1024
"""Bytes of a command."""
MAX_WAIT_S: Final = 25
"""Seconds that a command may give an agent to reply."""
NOTHING: Final = msgspec.Raw(b"{}")

_Params = TypeVar("_Params")


class Command(msgspec.Struct):
    """A command for a call. `owner` is the door of the relay that is thought to hold the call."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{8,128}\Z")]
    method: Literal["request", "clear", "dtmf", "changed"]
    owner: Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^https?://")] | None = None
    params: msgspec.Raw = NOTHING
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT_S)] = 0.0


class AgentRequest(msgspec.Struct):
    """The parameters of `request`: what the agent is asked."""

    method: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    params: msgspec.Raw = NOTHING


class Keys(msgspec.Struct):
    """The parameters of `dtmf`."""

    digits: Digits


class MalformedError(ValueError):
    """A command, or its parameters, are not what the contract says."""


_encode = msgspec.json.Encoder().encode


def parse(body: bytes) -> Command:
    """Parse a command. MalformedError."""
    try:
        body.decode()
    except UnicodeDecodeError:
        raise MalformedError("the body is not UTF-8") from None
    return _decode(body, Command)


def parse_params(params: msgspec.Raw, type_: type[_Params]) -> _Params:
    """Parse the parameters of a command. MalformedError."""
    try:
        return _decode(bytes(params), type_)
    except MalformedError as error:
        raise MalformedError(f"params: {error}") from None


def passed_on(command: Command) -> bytes:
    """Encode a command for the relay that holds the call, which passes it to nobody."""
    return _encode(msgspec.structs.replace(command, owner=None))


def done(result: msgspec.Raw = NOTHING) -> bytes:
    """Encode the answer to a command that was carried out."""
    return _encode({"ok": True, "result": result})


def failed(error: dict[str, Any]) -> bytes:
    """Encode the answer to a command that was not; `error` has `code`, and `detail` for people."""
    return _encode({"ok": False, "error": error})


def _decode(text: bytes, type_: type[_Params]) -> _Params:
    try:
        return msgspec.json.decode(text, type=type_)
    except RecursionError:
        raise MalformedError("JSON is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(str(error)) from None
