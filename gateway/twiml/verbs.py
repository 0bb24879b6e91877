"""The TwiML parser: turns a document into verbs as plain values. `interpreter.py` runs them.

The gateway carries audio over media streams and does not speak, record or gather itself, so the
verbs for that become `Unsupported` and fail the call when they are reached. A text that is no
well-formed `<Response>` raises `CallFailedError` with Twilio's code (12100 parse failure, 12200
schema, 11750 too long). Document types are refused: here they only serve attacks.
Source: https://www.twilio.com/docs/voice/twiml
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

from gateway.errors import DOCUMENT_PARSE, RESPONSE_TOO_LONG, SCHEMA, CallFailedError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
_MAX_PAUSE = 4 * 3600

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait `length` seconds."""

    length: int = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at `url` (may be relative, or empty: this one again)."""

    url: str
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class Reject:
    """End the call; while it rings, without answering it."""

    reason: Literal["rejected", "busy"] = "rejected"


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call; one that rings is answered first."""


@dataclass(frozen=True, slots=True)
class Connect:
    """`<Connect><Stream>`: a media stream in both directions, until it closes."""

    url: str
    name: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A verb that Twilio may know and this gateway does not."""

    verb: str


Verb = Pause | Redirect | Reject | Hangup | Connect | Unsupported


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    text: str = ""


def parse(document: bytes | str) -> list[Verb]:
    """Return the verbs of one document, in order; an empty document has none."""
    data = document.encode() if isinstance(document, str) else document
    if len(data) > MAX_BYTES:
        raise CallFailedError(RESPONSE_TOO_LONG, f"TwiML of {len(data)} bytes; 64 kB are allowed")
    if not data.strip():
        return []
    root = _read(data)
    if root.name != "Response":
        raise CallFailedError(DOCUMENT_PARSE, f"the root must be <Response>, not <{root.name}>")
    return [_verb(child) for child in root.children]


def _read(data: bytes) -> _Element:
    top = _Element("", {})
    stack = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise CallFailedError(DOCUMENT_PARSE, "TwiML is nested too deeply")
        element = _Element(name, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def text(characters: str) -> None:
        stack[-1].text += characters

    def doctype(*_: object) -> None:
        raise CallFailedError(DOCUMENT_PARSE, "TwiML must not have a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise CallFailedError(DOCUMENT_PARSE, f"TwiML does not parse: {error}") from None
    return top.children[0]


def _verb(element: _Element) -> Verb:
    match element.name:
        case "Pause":
            return Pause(_length(element))
        case "Redirect":
            return Redirect(element.text.strip(), _method(element))
        case "Reject":
            return Reject(_reason(element))
        case "Hangup":
            return Hangup()
        case "Connect":
            return _connect(element)
        case other:
            return Unsupported(other)


def _length(element: _Element) -> int:
    text = element.attributes.get("length", "1").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise CallFailedError(SCHEMA, f"<Pause length={text!r}> is no number of seconds")
    return min(int(text), _MAX_PAUSE)


def _method(element: _Element) -> Method:
    match element.attributes.get("method", "POST").upper():
        case "POST":
            return "POST"
        case "GET":
            return "GET"
        case other:
            raise CallFailedError(SCHEMA, f"<Redirect method={other!r}> is neither GET nor POST")


def _reason(element: _Element) -> Literal["rejected", "busy"]:
    match element.attributes.get("reason", "rejected"):
        case "rejected":
            return "rejected"
        case "busy":
            return "busy"
        case other:
            raise CallFailedError(SCHEMA, f"<Reject reason={other!r}> is not rejected or busy")


def _connect(element: _Element) -> Verb:
    if len(element.children) != 1:
        raise CallFailedError(SCHEMA, "<Connect> needs exactly one noun")
    noun = element.children[0]
    if noun.name != "Stream":
        return Unsupported(f"Connect/{noun.name}")
    url = noun.attributes.get("url", "").strip()
    if not url:
        raise CallFailedError(SCHEMA, "<Stream> has no url")
    if noun.attributes.get("track", "inbound_track") != "inbound_track":
        # A bidirectional stream carries the caller's audio only; Twilio has other tracks for
        # <Start>.
        raise CallFailedError(SCHEMA, "<Connect><Stream> has the inbound_track only")
    return Connect(url, noun.attributes.get("name", ""), dict(map(_parameter, noun.children)))


def _parameter(element: _Element) -> tuple[str, str]:
    name = element.attributes.get("name", "")
    if element.name != "Parameter" or not name:
        raise CallFailedError(SCHEMA, "<Stream> holds <Parameter name=… value=…/> only")
    return name, element.attributes.get("value", "")
