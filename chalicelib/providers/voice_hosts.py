"""Voice hosts: keep a place for a call at one of them, and say how a relay reaches it.

A request goes to the configured hosts in turn until one takes it. Each call has an order of its own
(rendezvous hashing by its id), so that all processes of the application ask the same host first for
the same call, and calls spread evenly. The wire format is in docs/contracts.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from chalicelib.domain.voice import (
    UnknownLanguage,
    UnknownVoice,
    VoiceBusy,
    VoiceSettings,
    VoiceUnavailable,
)
from chalicelib.providers.outgoing_http import GuardedPoster, Poster
from common import control

log = logging.getLogger(__name__)

HOST_TIMEOUT_S = 1.5
"""Time that one host has to answer, all of it included."""

TOTAL_S = 4.0
"""Time after which no further host is asked."""

AVOIDED_S = 10.0
"""Time for which a host that did not answer is asked last."""

MAX_CHOICES = 200
"""Voices, and languages, that are listed."""

MAX_CHOICE = 100
"""Characters of a voice's name, language or engine that are shown."""

SETTINGS_HEADER = "X-Chamade-Voice-Settings"

_UNKNOWN: dict[str, type[UnknownVoice]] = {
    "unknown_voice": UnknownVoice,
    "unknown_language": UnknownLanguage,
}


@dataclass(frozen=True)
class OfferedVoice:
    """A voice that hosts have."""

    name: str
    language: str
    engine: str


@dataclass(frozen=True)
class VoiceOffer:
    """The voices that hosts have, and the languages that they understand."""

    voices: tuple[OfferedVoice, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostToDial:
    """A relay's way to a call's voice host: its URL, those of the other hosts, and the headers,
    which are good for all of them.
    """

    url: str
    others: tuple[str, ...]
    headers: dict[str, str] = field(repr=False)


class VoiceHosts(Protocol):
    """The voice hosts of an installation."""

    def reserve(self, call_id: str, account_id: str, settings: VoiceSettings) -> str:
        """Have a host keep a place for the call; return the URL at which relays reach that host.
        The same call again keeps the same place. Raises VoiceBusy (all places are taken, or the
        account has as many as it may), UnknownVoice, UnknownLanguage, or VoiceUnavailable if none
        answers.
        """

    def release(self, call_id: str) -> None:
        """Give the call's place back, if a host keeps one. Never raises."""

    def offer(self) -> VoiceOffer:
        """Return what the hosts offer. Raises VoiceUnavailable if none answers."""

    def to_dial(
        self, call_id: str, host: str, settings: VoiceSettings, answered_at: int | None
    ) -> HostToDial:
        """Return how a relay reaches `host` for the call, with headers signed now."""


class _NoAnswer(Exception):
    """The host did not answer as hosts do; the message says why."""


class SignedVoiceHosts:
    """`VoiceHosts` over HTTP, signed with the secret that hosts share with the application."""

    def __init__(
        self,
        urls: Sequence[str],
        secret: str,
        *,
        poster: Poster | None = None,
        now_s: Callable[[], int] = lambda: int(time.time()),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._urls, self._secret = tuple(urls), secret
        # The hosts are the operator's own: they may be in a private network.
        self._poster = poster or GuardedPoster(private=True, timeout_s=HOST_TIMEOUT_S)
        self._now_s, self._clock = now_s, clock
        self._avoided: dict[str, float] = {}

    def reserve(self, call_id: str, account_id: str, settings: VoiceSettings) -> str:
        """See `VoiceHosts`."""
        wanted = {
            "call_id": call_id,
            "account": account_id,
            "language": settings.language,
            "name": settings.name,
            "speed": settings.speed,
        }
        busy, unknown = False, None
        for url, status, answer in self._ask("/v1/reserve", wanted, call_id):
            code = str(answer.get("code"))
            if status == 200:
                return _socket_base(answer.get("url"), url)
            busy = busy or code == "busy"
            if status == 422 and code in _UNKNOWN:
                unknown = _UNKNOWN[code](_texts(answer.get("choices")))
            elif code != "busy":
                log.warning("voice host %s refused a call: %d %s", url, status, code[:64])
        if busy:
            raise VoiceBusy
        raise unknown or VoiceUnavailable

    def release(self, call_id: str) -> None:
        """See `VoiceHosts`. Each host is told: a place may have moved to another one."""
        released = self._ask("/v1/release", {"call_id": call_id}, call_id, HOST_TIMEOUT_S)
        for _, status, _ in released:
            if status != 200:
                log.warning("voice host did not release: %d", status, extra={"call_id": call_id})

    def offer(self) -> VoiceOffer:
        """See `VoiceHosts`."""
        for _, status, answer in self._ask("/v1/voices", {}, ""):
            if status == 200:
                return _offer_of(answer)
        raise VoiceUnavailable

    def to_dial(
        self, call_id: str, host: str, settings: VoiceSettings, answered_at: int | None
    ) -> HostToDial:
        """See `VoiceHosts`."""
        path = f"/v1/call/{call_id}"
        told = {**settings.model_dump(mode="json"), "answered_at": answered_at}
        header = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        first, *rest = [_as_socket(url) for url in self._order(call_id)]
        # `host` may name itself by another URL. Most likely it is the first, so that comes last.
        others = [base for base in (*rest, first) if base != host]
        return HostToDial(
            url=host + path,
            others=tuple(base + path for base in others),
            headers={
                SETTINGS_HEADER: header,
                control.HEADER: control.sign(self._secret, path, header.encode(), self._now_s()),
            },
        )

    def _ask(
        self, path: str, body: Mapping[str, Any], call_id: str, within_s: float = TOTAL_S
    ) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Post to the hosts in turn; yield each one's URL, status and answer. A host that does not
        answer is passed over, and asked last for some time. After `within_s` no other is asked.
        """
        ends = self._clock() + within_s
        for url in self._order(call_id):
            if self._clock() >= ends:
                return
            try:
                status, answer = self._post(url, path, json.dumps(body).encode())
            except _NoAnswer as failed:
                log.warning("voice host %s: %s", url, failed)
                self._avoided[url] = self._clock() + AVOIDED_S
                continue
            self._avoided.pop(url, None)
            yield url, status, answer

    def _order(self, call_id: str) -> list[str]:
        """Return the hosts in the order in which a call asks them."""
        now = self._clock()

        def weight(url: str) -> tuple[bool, bytes]:
            digest = hashlib.sha256(f"{call_id} {url}".encode()).digest()
            return self._avoided.get(url, now) > now, digest

        return sorted(self._urls, key=weight)

    def _post(self, url: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        signature = control.sign(self._secret, path, body, self._now_s())
        answer = self._poster.post(url + path, {control.HEADER: signature}, body)
        if answer.status is None:
            raise _NoAnswer(answer.error)
        if answer.status == 401:
            log.error("voice host %s refused our signature: check CHAMADE_VOICE_SECRET", url)
            raise _NoAnswer("401")
        try:
            read = json.loads(answer.text)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise _NoAnswer(f"{answer.status}, and no JSON object")
        return answer.status, read


def _as_socket(url: str) -> str:
    return "ws" + url.removeprefix("http")


def _socket_base(given: Any, asked: str) -> str:
    """Return the URL at which relays reach a host: the one that it gave, else the one at which we
    asked it.
    """
    text = given.rstrip("/") if isinstance(given, str) and len(given) <= 2048 else ""
    parts = urlsplit(text)
    good = parts.scheme in ("ws", "wss") and parts.hostname and not parts.path
    return text if good else _as_socket(asked)


def _offer_of(answer: Mapping[str, Any]) -> VoiceOffer:
    given = answer.get("voices")
    voices = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    names = tuple(asdict(OfferedVoice("", "", "")))
    return VoiceOffer(
        tuple(
            OfferedVoice(**{name: str(each.get(name, ""))[:MAX_CHOICE] for name in names})
            for each in voices[:MAX_CHOICES]
        ),
        tuple(_texts(answer.get("languages"))),
    )


def _texts(given: Any) -> list[str]:
    """Return the texts of a list, cut to what is shown."""
    texts = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    return [each[:MAX_CHOICE] for each in texts[:MAX_CHOICES]]
