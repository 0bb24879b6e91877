"""Mutated SIP messages, the same ones for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

_NAMES = (
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Content-Length",
    "Content-Type",
    "Route",
    "Record-Route",
    "Expires",
    "Supported",
    "Require",
    "Allow",
    "RSeq",
    "RAck",
    "Session-Expires",
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Refer-To",
    "Replaces",
    "Event",
    "Subscription-State",
    "P-Asserted-Identity",
    "Diversion",
    "History-Info",
    "Privacy",
    "User-Agent",
    "Identity",
    "Date",
    "Accept",
    "Unsupported",
    "X-Chamade-Source",
)
_SHORT = {
    **{"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Supported": "k"},
    **{"Content-Length": "l", "Content-Type": "c", "Refer-To": "r", "Event": "o"},
}
_NASTY = (
    "",
    " ",
    "\t",
    ",",
    ";",
    "<",
    ">",
    "<>",
    '"',
    '""',
    "@",
    "%00",
    "%",
    "\\",
    "\x00",
    "\x7f",
    "\xff\xfe",
    "\u202e\u0000\U0001f4a3",
    "*",
    "-1",
    "0",
    "1",
    "99999999999999999999",
    "4294967296",
    "2147483648",
    "A" * 300,
    "A" * 3000,
    "%n%s%x" * 20,
    "[::1]",
    "[::",
    "sip:",
    "sip:@",
    "sip:a@b@c",
    "sips:a@[::1]:99999",
    "<sip:a@b",
    "tel:+1",
    "sip:a@127.0.0.1:0",
    "<sip:a@b>;;;===",
    ";tag=",
    ";tag=a;tag=b",
    "<sip:a@b;lr>,<sip:c@d;lr>",
    "SIP/2.0/UDP",
    "SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK",
    "SIP/2.0/TCP [::1]:5060;branch=z9hG4bK;rport=x;received=y",
    "SIP / 2.0 / UDP a.b:1;branch=z9hG4bK1",
    "1 INVITE",
    "INVITE 1",
    "1INVITE",
    "0 ACK",
    "application/sdp",
    'multipart/mixed;boundary="',
    "application/dtmf-relay",
    "timer, 100rel, replaces",
    "1800;refresher=uac",
    "=?utf-8?q?x?=",
    'Digest realm="a", nonce="b", uri="sip:a", response="c", username="d"',
    "Digest ",
    "Basic YTpi",
)
_SDP_LINES = (
    "m=audio 99999 RTP/AVP 0",
    "m=audio 0 RTP/AVP 0",
    "m=audio 4000 RTP/AVP",
    "m=audio 4000/99 RTP/SAVP 255 0 8 300",
    "m=video 4002 RTP/AVP 31",
    "m=",
    "m=audio",
    "c=IN IP4 999.1.1.1",
    "c=IN IP6 ::1",
    "c=",
    "c=IN IP4 0.0.0.0",
    "a=rtpmap:0 " + "x" * 250 + "/8000",
    "a=rtpmap:0 PCMU/0",
    "a=rtpmap:0 PCMU/8000/99999",
    "a=rtpmap:",
    "a=fmtp:101 0-99999",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
    "a=crypto:99999999999 x y",
    "a=candidate:1 1 UDP 1 127.0.0.9 1 typ host",
    "a=candidate:",
    "a=ice-ufrag:" + "u" * 300,
    "a=ptime:0",
    "a=ptime:-20",
    "a=maxptime:999999",
    "a=rtcp:99999 IN IP4 x",
    "a=setup:actpass",
    "a=fingerprint:sha-256 00",
    "a=group:BUNDLE 0 1 2",
    "a=ssrc:99999999999999 cname:x",
    "a=extmap:1 x",
    "a=sendonly",
    "a=inactive",
    "b=AS:99999999999",
    "t=x y",
    "v=1",
    "o=",
    "s=",
    "k=prompt",
    "a=" + "z" * 1000,
    "a=mid:" + "9" * 99,
)


def messages(count: int, bases: list[str], seed: int) -> Iterator[bytes]:
    """`count` messages, each a base with one to four things wrong."""
    rng = random.Random(seed)
    for number in range(count):
        text = rng.choice(bases)
        text = re.sub(r"z9hG4bK-[\w-]+", f"z9hG4bK-{seed}-{number}", text, count=1)
        if rng.random() < 0.6:
            text = re.sub(r"(?i)(call-id: )[^\r]+", rf"\g<1>fuzz-{seed}-{number}", text, count=1)
        for _ in range(rng.choice((1, 1, 2, 4))):
            text = rng.choice(_MUTATIONS)(rng, text)
        raw = text.encode("utf-8", errors="surrogateescape")
        if rng.random() < 0.25:
            raw = _right_length(raw)
        for _ in range(rng.choice((0, 0, 0, 1, 3))):
            raw = _raw(rng, raw)
        yield raw[:60000] or b"\r\n"


def _right_length(raw: bytes) -> bytes:
    """So that what is wrong elsewhere is not hidden by a wrong length."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    fixed = re.sub(
        rb"(?i)\r\n(content-length|l):[^\r]*", b"\r\nContent-Length: %d" % len(body), head
    )
    return fixed + gap + body


def _split(text: str) -> tuple[list[str], str]:
    head, gap, body = text.partition("\r\n\r\n")
    return head.split("\r\n"), gap + body


def _of_lines(change):
    def mutation(rng: random.Random, text: str) -> str:
        lines, rest = _split(text)
        if len(lines) < 2:
            return text
        change(rng, lines, rng.randrange(1, len(lines)))
        return "\r\n".join(lines) + rest

    return mutation


def _drop(_rng, lines, at):
    del lines[at]


def _again(rng, lines, at):
    lines.insert(rng.randrange(1, len(lines) + 1), lines[at])


def _shuffle(rng, lines, _at):
    rest = lines[1:]
    rng.shuffle(rest)
    lines[1:] = rest


def _nasty_value(rng, lines, at):
    lines[at] = lines[at].partition(":")[0] + ": " + rng.choice(_NASTY)


def _nasty_part(rng, lines, at):
    line = lines[at]
    place = rng.randrange(len(line) + 1)
    lines[at] = line[:place] + rng.choice(_NASTY) + line[place + rng.choice((0, 0, 1, 5)) :]


def _new(rng, lines, at):
    lines.insert(at, f"{rng.choice(_NAMES)}: {rng.choice(_NASTY)}")


def _compact(rng, lines, at):
    name, colon, value = lines[at].partition(":")
    lines[at] = (
        _SHORT.get(name, rng.choice("abcdefghijklmnopqrstuvwxyz"))
        + rng.choice(("", " ", "\t"))
        + colon
        + value
    )


def _fold(rng, lines, at):
    place = rng.randrange(len(lines[at]) + 1)
    lines[at] = (
        lines[at][:place]
        + rng.choice(("\r\n ", "\n ", "\r ", "\r\n\t", "\n", "\r"))
        + lines[at][place:]
    )


def _name(rng, lines, at):
    lines[at] = rng.choice(("", ":", " ", "X", "\xe9", lines[at][:3])) + lines[at]


def _first(rng: random.Random, text: str) -> str:
    first, gap, rest = text.partition("\r\n")
    parts = first.split(" ")
    parts[rng.randrange(len(parts))] = rng.choice(
        (*_NASTY, "SIP/3.0", "SIP/2.0 200", "REGISTER", "bye")
    )
    return " ".join(parts) + gap + rest


def _body(rng: random.Random, text: str) -> str:
    head, gap, body = text.partition("\r\n\r\n")
    lines = body.split("\r\n")
    for _ in range(rng.choice((1, 2, 6))):
        at = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                lines[at] = rng.choice(_SDP_LINES)
            case 1:
                lines.insert(at, rng.choice(_SDP_LINES))
            case 2:
                lines[at] += rng.choice(_NASTY)
            case 3 if len(lines) > 1:
                del lines[at]
            case _:
                lines[at : at + 1] = [lines[at]] * rng.choice((2, 30))
    body = "\r\n".join(lines)
    if "Content-Length" in head and rng.random() < 0.9:
        head = re.sub(
            r"Content-Length: \d+",
            f"Content-Length: {len(body.encode(errors='surrogateescape'))}",
            head,
        )
    return head + gap + body


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(1, len(text) + 1)] if text else text


def _long(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return (
        text[:at]
        + rng.choice(("A", "a=x\r\n", "<", "%41", ";x=y", ",", "Via: x\r\n"))
        * rng.choice((50, 500, 3000))
        + text[at:]
    )


def _raw(rng: random.Random, raw: bytes) -> bytes:
    if not raw:
        return raw
    data = bytearray(raw)
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


_MUTATIONS = (
    *(
        _of_lines(change)
        for change in (_drop, _again, _shuffle, _new, _new, _compact, _fold, _name)
    ),
    *(_of_lines(change) for change in (_nasty_value, _nasty_value, _nasty_part, _nasty_part)),
    *(_first, _body, _body, _body, _cut, _long),
)
