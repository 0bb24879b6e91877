"""Digest authentication, the client's side (RFC 3261 22, RFC 7616, RFC 8760).

`DigestClient` keeps what each realm challenged last and signs requests for all of them, also within
a dialog. The sums are in `gateway.sip.digest.answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gateway.sip.digest.answer import (
    ALGORITHMS,
    Account,
    DigestChallenge,
    Request,
    Unusable,
    authorization,
    understood,
)
from gateway.sip.digest.challenge import BadChallenge, challenges, parameters, unescaped

MAX_REALMS = 8
"""Limit of the realms that are kept, each with one nonce, and that one request is signed for."""
MAX_STALE = 3
"""Limit of the times in a row that a realm may call a nonce stale that was just given."""

_Key = tuple[bool, str]
"""A realm: whether it is a proxy's, and its name."""
_Answered = dict[str, tuple[str, int]]
"""Nonce and nonce count of a request's credentials, by realm. A count of 0 is unknown."""


class NoUsableChallenge(Exception):
    """A server whose challenges all ask for something that is not spoken here."""


class Refused(Exception):
    """A server that does not accept our credentials: username or password are wrong."""


@dataclass(frozen=True, slots=True)
class _Realm:
    """The state of a realm: its challenge with the nonce in use, and how often that was used.

    `given` is the nonce that came with the challenge, and not with a success after it.
    """

    challenge: DigestChallenge
    cnonce: str
    given: str
    used: int = 0
    stale: int = 0


class DigestClient:
    """The credentials of one account. `random_bytes(n)` returns n bytes for client nonces.

    With each 401 or 407 call `challenged`, then send the request again with the headers of
    `authorise`. The password stands nowhere in a repr or in an error.
    """

    def __init__(self, username: str, password: str, random_bytes: Callable[[int], bytes]) -> None:
        self._account = Account(username, password)
        self._random = random_bytes
        self._realms: dict[_Key, _Realm] = {}

    def __repr__(self) -> str:
        return f"DigestClient({self._account.username!r})"

    def challenged(
        self, values: Iterable[str], *, proxy: bool = False, sent: Iterable[str] = ()
    ) -> None:
        """Take the challenges of a 401, or with `proxy` of a 407: the values of its headers.

        `sent` has the values of Authorization, or Proxy-Authorization, in the refused request. If
        they answered a nonce that had just been given, and the server does not call it stale, the
        password is wrong: Refused. If the nonce had been used before, it may have run out: the new
        one is answered. Raise NoUsableChallenge if nothing is left to answer.
        """
        chosen = _topmost(values, "proxy" if proxy else "server")
        answered = _answered(sent)
        for realm, challenge in chosen.items():
            self._check((proxy, realm), challenge, answered)
        for realm, challenge in chosen.items():
            key = (proxy, realm)
            old = self._realms.pop(key, None)
            again = old.stale + 1 if old and challenge.stale and old.used <= 1 else 0
            while len(self._realms) >= MAX_REALMS:
                del self._realms[next(iter(self._realms))]
            self._realms[key] = _Realm(challenge, self._cnonce(), challenge.nonce, stale=again)

    def authorise(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """Return the headers that sign a request, as (name, value): one for each known realm.

        `uri` is the Request-URI as it is sent. Each call uses a nonce once more.
        """
        request = Request(method, uri, body)
        headers = []
        for key, realm in self._realms.items():
            now = replace(realm, used=realm.used + 1)
            self._realms[key] = now
            value = authorization(now.challenge, self._account, request, now.cnonce, now.used)
            headers.append(("Proxy-Authorization" if key[0] else "Authorization", value))
        return headers

    def informed(self, value: str, *, proxy: bool = False) -> None:
        """Take the next nonce of Authentication-Info, or Proxy-Authentication-Info, in a success
        (RFC 7616 3.5). It names no realm, so it counts only if one is known.
        """
        try:
            nonce = parameters(value).get("nextnonce")
        except BadChallenge:
            return
        keys = [key for key in self._realms if key[0] == proxy]
        if nonce and len(keys) == 1:
            realm = self._realms[keys[0]]
            challenge = replace(realm.challenge, nonce=nonce)
            self._realms[keys[0]] = _Realm(challenge, self._cnonce(), realm.given)

    def _check(self, key: _Key, challenge: DigestChallenge, answered: _Answered) -> None:
        """Raise Refused if the server will not take our credentials, and forget the realm."""
        realm, name = self._realms.get(key), key[1]
        asker = "proxy" if key[0] else "server"
        who = f'the username {self._account.username} in the realm "{name}"'
        if name not in answered:
            if len(answered) >= MAX_REALMS:
                self._realms.clear()
                raise Refused(f"the {asker} asks for more than {MAX_REALMS} realms")
            return
        nonce, count = answered[name]
        if realm is None or nonce != realm.given or (count or realm.used) > 1:
            return
        if challenge.stale and realm.stale < MAX_STALE:
            return
        del self._realms[key]
        if challenge.stale:
            raise Refused(f"the {asker} calls each nonce for {who} stale as soon as it is used")
        raise Refused(f"the {asker} does not accept {who} with this password")

    def _cnonce(self) -> str:
        return self._random(16).hex()


def _topmost(values: Iterable[str], who: str) -> dict[str, DigestChallenge]:
    """Return the challenge to answer by realm: the topmost that is understood (RFC 8760 2.4).

    Raise NoUsableChallenge, with what was asked for.
    """
    chosen: dict[str, DigestChallenge] = {}
    skipped: dict[str, None] = {}
    for value in values:
        try:
            for challenge in challenges(value):
                try:
                    usable = understood(challenge)
                except Unusable as why:
                    skipped[str(why)] = None
                else:
                    chosen.setdefault(unescaped(usable.realm), usable)
        except BadChallenge as why:
            skipped[f"something unreadable ({why})"] = None
    if not chosen:
        asked = ", ".join([*skipped][:MAX_REALMS]) or "credentials without a challenge"
        raise NoUsableChallenge(
            f"the {who} asks for {asked}; this side speaks Digest with {', '.join(ALGORITHMS)}, "
            "also with -sess: ask the carrier for one of these"
        )
    return dict([*chosen.items()][:MAX_REALMS])


def _answered(sent: Iterable[str]) -> _Answered:
    """Read what our own headers answered. They are longer than the challenges."""
    found: _Answered = {}
    for value in sent:
        for credentials in challenges(value, limit=len(value)):
            given = credentials.parameters
            realm = unescaped(given.get("realm", ""))
            found[realm] = (given.get("nonce", ""), int(given.get("nc", "0"), 16))
    return found
