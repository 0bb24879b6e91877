"""Finds the session description in a body, which may be one part of several (RFC 5621)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Valued
from gateway.sip.syntax.message import Message

SDP = "application/sdp"
MAX_PARTS = 16
_MAX_DEPTH = 3
"""Multiparts within multiparts."""


def session_description(message: Message) -> bytes | None:
    """Return the SDP of a message; None if its body holds none.

    Raises Refusal: 415 if the body can be read by nobody here, 400 if it is no multipart at all.
    Other parts (ISUP, PIDF-LO) are skipped, whatever their handling is: they are not audio.
    """
    if not message.body.strip():
        return None
    if message.headers.get("Content-Encoding").lower() not in ("", "identity"):
        raise Refusal(415, "Bodies must not be encoded", Accept_Encoding="identity")
    found = _find(message.headers.get("Content-Type"), message.body, _MAX_DEPTH)
    if found is None and _is_offer_place(message):
        raise Refusal(415, "The body holds no application/sdp", Accept=f"{SDP}, multipart/mixed")
    return found


def _is_offer_place(message: Message) -> bool:
    """Return whether a body of another type leaves nothing to work on: requests that negotiate."""
    return getattr(message, "method", "") in ("INVITE", "UPDATE", "PRACK")


def _find(content_type: str, body: bytes, depth: int) -> bytes | None:
    """Return the first SDP. A body without a type is SDP if it looks like it."""
    if not content_type:
        return body if body.lstrip().startswith(b"v=") else None
    try:
        kind = Valued.parse(content_type)
    except SipSyntaxError as error:
        raise Refusal(400, f"Content-Type: {error}") from None
    value = kind.value.replace(" ", "").lower()
    if value == SDP:
        return body
    if not value.startswith("multipart/") or depth == 0:
        return None
    boundary = kind.params.text("boundary")
    if not boundary:
        raise Refusal(400, "The multipart has no boundary")
    for part_type, part in _parts(body, boundary.encode("utf-8", "surrogateescape")):
        if (found := _find(part_type, part, depth - 1)) is not None:
            return found
    return None


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield type and content of each part (RFC 2046 5.1). Lines may end with LF alone."""
    for number, piece in enumerate((b"\n" + body).split(b"\n--" + boundary)[1:]):
        if piece.startswith(b"--") or number >= MAX_PARTS:
            return
        head, content = _split(piece.partition(b"\n")[2])
        yield _type_of(head), content.removesuffix(b"\r")


def _split(part: bytes) -> tuple[bytes, bytes]:
    if part.startswith((b"\r\n", b"\n")):
        return b"", part.partition(b"\n")[2]
    for end in (b"\r\n\r\n", b"\n\n"):
        head, found, content = part.partition(end)
        if found:
            return head, content
    return part, b""


def _type_of(head: bytes) -> str:
    for line in head.decode("utf-8", "surrogateescape").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            return value.strip()
    return ""
