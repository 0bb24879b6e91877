"""Finds the session description in a body, which may be one part of several (RFC 5621)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.headers import Valued
from gateway.sip.syntax.message import Message, read_fields, split_head

SDP = "application/sdp"
MAX_PARTS = 16
"""Parts of a multipart that are looked at."""
_MAX_DEPTH = 3
"""Multiparts within multiparts."""
_EARLY = "early-session"
"""The disposition of a description of early media, which is not the session's (RFC 3959)."""


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
    for head, part in _parts(body, boundary.encode("utf-8", "surrogateescape")):
        if head.get("Content-Disposition").partition(";")[0].strip().lower() == _EARLY:
            continue
        if (found := _find(head.get("Content-Type"), part, depth - 1)) is not None:
            return found
    return None


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Headers, bytes]]:
    """Yield head and content of each part (RFC 2046 5.1). Lines may end with LF alone.

    A delimiter is a whole line: another boundary may begin with the same letters.
    """
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    places = list(islice(delimiter.finditer(body), MAX_PARTS + 1))
    for number, here in enumerate(places[:MAX_PARTS]):
        if here[1]:
            return
        end = places[number + 1].start() if number + 1 < len(places) else len(body)
        _, _, part = body[here.end() : end].partition(b"\n")
        head, content = split_head(part)
        try:
            fields = read_fields(head)
        except SipSyntaxError:
            continue  # it is not SDP, whatever it is
        yield fields, content
