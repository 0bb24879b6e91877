"""sipp: callers and called parties that do exactly what a scenario says, and nothing else.

A scenario is an XML file of `scenarios/`; `$name` in it is filled in from the arguments, `$reply`,
`$request` and `$sdp` from the pieces below. sipp does the signalling; the sound is `peer.rtp`'s,
or sipp's own echo.
"""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from http.client import responses
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self

from tests.sip.peers.messages import Message
from tests.sip.peers.processes import Program, listens
from tests.sip.peers.rtp import EVENTS, PCMA, PCMU, Rtp
from tests.support.ports import HOST, free_port, free_ports

SCENARIOS = Path(__file__).with_name("scenarios")
STARTS_WITHIN_S = 5.0
REASONS = {
    **responses, 404: "Not Found", 408: "Request Timeout", 480: "Temporarily Unavailable",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere",
    603: "Decline", 607: "Unwanted",
}  # fmt: skip

_SAME_CALL = """\
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]"""

PIECES = {
    # An answer to the request just read, outside of a dialogue: we give the tag.
    "reply": """\
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]S[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>""",
    # The same within a dialogue.
    "reply_within": _SAME_CALL,
    # The final answer to an INVITE whose CANCEL has been read since.
    "reply_cancelled": _SAME_CALL.replace(
        "[last_CSeq:]", "CSeq: [last_cseq_number] INVITE"
    ).replace("[last_To:]", "[last_To:];tag=[pid]S[call_number]"),
    # A caller's request: the method and CSeq are its own.
    "request": """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: $caller;tag=[pid]C[call_number]
To: $called[peer_tag_param]
Call-ID: [call_id]
Max-Forwards: 70
Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>""",
    "sdp": """\
v=0
o=peer 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio $rtp_port RTP/AVP $payload_types
$payload_maps
a=ptime:20
a=sendrecv""",
}
_LATER = PIECES["sdp"].replace("o=peer 1 1", "o=peer 1 2")
PIECES |= {
    "sdp_held": _LATER.replace("sendrecv", "sendonly"),
    "sdp_inactive": _LATER.replace("o=peer 1 2", "o=peer 1 3").replace("sendrecv", "inactive"),
    "sdp_nowhere": _LATER.replace("o=peer 1 2", "o=peer 1 4").replace("[media_ip]", "0.0.0.0"),
    "sdp_resumed": _LATER.replace("o=peer 1 2", "o=peer 1 5"),
}
_MAPS = {
    PCMU: ["a=rtpmap:0 PCMU/8000"],
    PCMA: ["a=rtpmap:8 PCMA/8000"],
    EVENTS: ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"],
}
_RULE = "-" * 47
_LOGGED = re.compile(
    r"^-{47} (?P<at>\d{4}-\d\d-\d\d[ \t][\d:.]+)\n"
    r"\w+ message (?P<way>sent|received) .*\n\n",
    re.MULTILINE,
)


class Sipp:
    """One sipp with one scenario.

    `host`: the address of its SIP; its audio is always at `HOST`. `transport`: udp or tcp. `echo`:
    sipp sends the sound back; else `rtp` has it. `within_s`: the whole scenario must be over by
    then.

    >>> async with Sipp.uas("refuses", code=486) as peer:  # doctest: +SKIP
    ...     dial(f"sip:+15550001111@127.0.0.1:{peer.port}")
    ...     await peer.finished()
    """

    def __init__(
        self,
        scenario: str,
        to: tuple[str, int] | None,
        *,
        host: str = HOST,
        port: int | None = None,
        transport: str = "udp",
        calls: int = 1,
        echo: bool = False,
        payload_types: tuple[int, ...] = (PCMU, PCMA, EVENTS),
        within_s: float = 20,
        **values: Any,
    ) -> None:
        self.scenario, self.to, self.transport = scenario, to, transport
        self.host, self.port = host, port or free_port()
        self.calls, self.echo, self.within_s = calls, echo, within_s
        self.rtp = Rtp()
        # sipp binds this one and the next even one whether it is to echo or not.
        self._echo_port = free_ports(4)
        self._values = {
            "rtp_port": self._echo_port if echo else self.rtp.port,
            "payload_types": " ".join(map(str, payload_types)),
            "payload_maps": "\n".join(line for kind in payload_types for line in _MAPS[kind]),
            **values,
        }

    @classmethod
    def uas(cls, scenario: str, **options: Any) -> Self:
        """A called party: `answers` (ring_ms), `hangs_up` (ring_ms, talk_ms), `refuses` (code),
        `rings` (until CANCEL), `early_media` (ring_ms), `challenges` (realm).
        """
        options.setdefault("ring_ms", 200)
        options.setdefault("talk_ms", 500)
        options.setdefault("realm", "trunk.example")
        if "code" in options:
            options.setdefault("reason", REASONS[options["code"]])
        return cls(f"called_{scenario}", None, **options)

    @classmethod
    def uac(
        cls,
        scenario: str,
        to: int | tuple[str, int],
        *,
        number: str = "+15550001111",
        caller: str | None = None,
        called: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """A caller: `hangs_up` (talk_ms), `is_hung_up`, `cancels` (ring_ms), `is_refused` (code),
        `is_not_taken`, `holds` (held_ms), `is_referred` (outcome, e.g. `200 OK`).

        `to`: where the packets go. `number`: user part of the request URI. `caller`, `called`: the
        whole From and To, if they are to differ from what the number says. `headers`: more of them
        in the INVITE.
        """
        address = to if isinstance(to, tuple) else (HOST, to)
        more = "".join(f"\n{name}: {value}" for name, value in (headers or {}).items())
        options.setdefault("ring_ms", 200)
        options.setdefault("talk_ms", 500)
        return cls(
            f"caller_{scenario}",
            address,
            number=number,
            caller=caller or "<sip:+33612345678@[local_ip]>",
            called=called or f"<sip:{number}@[remote_ip]:[remote_port]>",
            headers=more,
            **options,
        )

    @property
    def address(self) -> tuple[str, int]:
        """The address on which it listens."""
        return self.host, self.port

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="sipp-")
        folder = Path(self._folder.name)
        file = folder / f"{self.scenario}.xml"
        file.write_text(_filled(self.scenario, self._values))
        self._trace, self._errors = folder / "messages", folder / "errors"
        self.program = Program("sipp", *self._options(file), log=folder / "log", cwd=folder)
        await self.rtp.__aenter__()
        await self.program.start()
        if self.to is None:
            kind = "tcp" if self.transport == "tcp" else "udp"
            await self.program.until(lambda: listens(self.port, kind), STARTS_WITHIN_S, "listening")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.program.stop()
        await self.rtp.__aexit__(kind, error, trace)
        print(self._story())  # shown by pytest if the test fails
        self._folder.cleanup()

    async def finished(self, within_s: float | None = None) -> None:
        """Until the scenario is done. AssertionError shows what was said if it did not go so."""
        try:
            code = await self.program.ended(within_s or self.within_s)
        except TimeoutError:
            raise AssertionError(f"still running:\n{self._story()}") from None
        assert code == 0, self._story()

    @property
    def messages(self) -> list[Message]:
        """Return the messages sent and received so far, in order; retransmissions as well."""
        text = self._trace.read_text(errors="replace") if self._trace.exists() else ""
        return [
            Message(
                sent=one["way"] == "sent",
                at=datetime.fromisoformat(one["at"].replace("\t", " ")).timestamp(),
                text=_unframed(text[one.end() :]),
            )
            for one in _LOGGED.finditer(text)
        ]

    def sent(self, what: str | int) -> list[Message]:
        """Requests of a method or answers with a code that it sent."""
        return [one for one in self.messages if one.sent and one.is_a(what)]

    def received(self, what: str | int) -> list[Message]:
        """The same of what it received."""
        return [one for one in self.messages if not one.sent and one.is_a(what)]

    async def receives(self, what: str | int, within_s: float = 10) -> Message:
        """The first such message, as soon as it is there."""
        await self.program.until(lambda: self.received(what), within_s, f"receiving {what}")
        return self.received(what)[0]

    async def sends(self, what: str | int, within_s: float = 10) -> Message:
        """The same of what it sends."""
        await self.program.until(lambda: self.sent(what), within_s, f"sending {what}")
        return self.sent(what)[0]

    @property
    def remote_media(self) -> tuple[str, int]:
        """Return the address to which the other side wants its audio, from its newest SDP."""
        return next(one for one in reversed(self.messages) if not one.sent and one.body).media

    def _options(self, file: Path) -> list[str | Path]:
        options: list[str | Path] = [
            "-sf", file, "-i", self.host, "-p", str(self.port), "-bind_local",
            "-t", "t1" if self.transport == "tcp" else "u1",
            "-m", str(self.calls), "-nostdin", "-skip_rlimit",
            "-timeout", f"{self.within_s}s", "-timeout_error",
            "-recv_timeout", str(round(self.within_s * 1000)),
            "-trace_msg", "-message_file", self._trace, "-trace_err", "-error_file", self._errors,
            "-cp", str(self.port + 1), "-mi", HOST, "-mp", str(self._echo_port),
        ]  # fmt: skip
        if self.echo:
            options.append("-rtp_echo")
        if self.to is not None:
            options.append(f"{self.to[0]}:{self.to[1]}")
        return options

    def _story(self) -> str:
        errors = self._errors.read_text(errors="replace") if self._errors.exists() else ""
        messages = "\n".join(map(str, self.messages))
        return f"==== sipp {self.scenario} on {self.port}\n{messages}\n{errors}"


def _filled(scenario: str, values: dict[str, Any]) -> str:
    # A piece may hold names as well, so the pieces first.
    pieces = {name: Template(text).safe_substitute(values) for name, text in PIECES.items()}
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    return Template(text).substitute(values | pieces)


def _unframed(logged: str) -> str:
    """The message that the log goes on with: what is before its next rule and empty line."""
    text = logged.partition(_RULE)[0].replace("\r\n", "\n").removesuffix("\n")
    return text if "\n\n" in text else text.rstrip("\n") + "\n\n"
