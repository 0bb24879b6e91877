"""The rules of dialling out, against toll fraud and nuisance: whom an account may call, as whom,
how many at a time, and how soon again after a "no".

A stolen API key is worth what it can dial. So calls go only through the account's own trunk, only
to countries that its owner has to do with, never to numbers that pay whoever is called, and only a
few at a time. Every refusal is a `NotDialled` with a stable code and a remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.account import Account
from chalicelib.domain.did import Did
from chalicelib.domain.host import parse_host
from chalicelib.domain.phone import BadNumber, parse_e164
from chalicelib.domain.trunk import Trunk, TrunkStatus

REDIAL_AFTER_DECLINE_S = 3600
"""How long a number that declined (603, 607, 608) is left in peace by the account that dialled."""

RATE_WINDOW_MS = 60_000
"""What `Account.max_dials_per_minute` counts over."""

RING_TIMEOUT_S = (5, 300)
DEFAULT_RING_TIMEOUT_S = 60
MIN_CALL_S = 10

WORLD_RANGES = {
    "+808": "international shared cost",
    "+870": "Inmarsat satellite",
    "+878": "universal personal telecommunications",
    "+881": "global mobile satellite",
    "+882": "international networks",
    "+883": "international networks",
    "+888": "disaster relief",
    "+979": "international premium rate",
}
"""Ranges that belong to no country (ITU-T E.164, assigned codes). Most cost euros a minute."""

COSTLY_KINDS = {
    "premium_rate": "premium rate",
    "shared_cost": "shared cost",
    "personal_number": "a personal number, which forwards anywhere at the caller's cost",
    "pager": "a pager",
}
"""Kinds of numbers (libphonenumber's) whose price has little to do with their country's."""

_SIP_URL = re.compile(
    r"(?P<scheme>sips?):(?P<user>[^@]*)@(?P<host>\[[^\]@]*\]|[^:;?@\[\]]+)"
    r"(?::(?P<port>\d{1,5}))?(?:;[^;?@\s]+)*",
    re.ASCII | re.IGNORECASE,
)


class NotDialled(Exception):
    """The call is not placed. `code` is a stable word, `detail` says what would help; `facts` are
    members of the answer, `retry_after_s` is when it would be possible (None: not by waiting).
    """

    def __init__(
        self, code: str, detail: str, *, retry_after_s: int | None = None, **facts: Any
    ) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
        self.retry_after_s, self.facts = retry_after_s, facts


@dataclass(frozen=True)
class NumberFacts:
    """What the numbering plans say of a number. `country` is ISO 3166 alpha-2, None for a range of
    the whole world; `kind` is libphonenumber's, in small letters.
    """

    valid: bool
    country: str | None
    kind: str


@dataclass(frozen=True)
class Target:
    """Where a `meeting_url` leads. `port` is None if it names none."""

    e164: str
    host: str
    port: int | None
    secure: bool


@dataclass(frozen=True)
class Dialling:
    """What an account is dialling: ids of its outbound calls that are not over, instants (epoch ms)
    of the dials of the last minute, and how often this was written.
    """

    calls: frozenset[str] = frozenset()
    recent: tuple[int, ...] = ()
    version: int = 0

    def recent_at(self, now: int) -> tuple[int, ...]:
        """The dials of the minute before `now`, oldest first."""
        return tuple(sorted(at for at in self.recent if at > now - RATE_WINDOW_MS))


def parse_target(meeting_url: str, trunk: Trunk) -> Target:
    """`sip:+33612345678@trunk.example:5060;user=phone` in its parts. `bad_number` otherwise."""
    found = _SIP_URL.fullmatch(meeting_url.strip())
    try:
        # Without separators: what is dialled is what is written.
        e164 = parse_e164(found["user"]) if found else None
    except BadNumber:
        e164 = None
    if found is None or e164 is None or e164 != found["user"]:
        raise NotDialled(
            "bad_number",
            "meeting_url is sip:NUMBER@HOST, the number in E.164 form with + and country code: "
            f"sip:+33612345678@{_shown_host(trunk)}",
        )
    return Target(
        e164=e164,
        host=found["host"],
        port=int(found["port"]) if found["port"] else None,
        secure=found["scheme"].lower() == "sips",
    )


def check_host(target: Target, trunk: Trunk) -> None:
    """The URL must lead to the account's own trunk, by its host or its realm. `wrong_host`."""
    names = {trunk.host.lower()} | ({trunk.realm.lower()} if trunk.realm else set())
    if _normal(target.host) not in names or target.port not in (None, trunk.port):
        raise NotDialled(
            "wrong_host",
            f"Calls go through your own trunk, {_shown_host(trunk)} port {trunk.port}: write "
            f"sip:{target.e164}@{_shown_host(trunk)}, or connect the other with PUT /api/trunk.",
        )
    if target.secure and trunk.transport != "tls":
        raise NotDialled(
            "wrong_host",
            f"sips: asks for TLS, and your trunk is connected by {trunk.transport}: write "
            f"sip:{target.e164}@{_shown_host(trunk)}, or connect it with transport tls.",
        )


def check_number(e164: str, facts: NumberFacts, allowed: Iterable[str]) -> None:
    """`premium_number`, `bad_number` or `country_not_allowed` for what must not be dialled."""
    world = WORLD_RANGES.get(e164[:4])
    costly = world or COSTLY_KINDS.get(facts.kind)
    if costly:
        raise NotDialled(
            "premium_number", f"{e164} is {costly}: such numbers are never dialled from here."
        )
    if not facts.valid:
        raise NotDialled(
            "bad_number",
            f"{e164} is a number that its country has not allocated: look it up again, and write "
            "it without its national prefix.",
        )
    countries = sorted(set(allowed))
    if facts.country not in countries:
        where = f"in {facts.country}" if facts.country else "in no country"
        may = f"may dial {', '.join(countries)}" if countries else "may not dial anywhere yet"
        raise NotDialled(
            "country_not_allowed",
            f"{e164} is {where}; your trunk {may}. Add the country to allowed_countries with "
            "PUT /api/trunk.",
            country=facts.country,
        )


def choose_caller_id(wanted: str | None, trunk: Trunk, dids: Sequence[Did]) -> str:
    """The number to call as: the one wanted if it is the trunk's, else the trunk's caller ID, else
    its only number. `bad_caller_id`, `no_caller_id`.

    The caller ID was set with the trunk's password. A DID takes an API key only, so it counts once
    a call to it has come in: the carrier has then shown that it is the trunk's.
    """
    called = [did.e164 for did in dids if did.called_at is not None]
    if wanted is not None:
        if wanted != trunk.caller_id and wanted not in called:
            added = any(did.e164 == wanted for did in dids)
            raise NotDialled(
                "bad_caller_id",
                f"No call that names {wanted} in full has come in through your trunk: call it "
                "once, then it may be used. Or set it as caller_id with PUT /api/trunk."
                if added
                else f"{wanted} is not a number of your trunk. Use its caller_id or one of its "
                "DIDs, or add the number with POST /api/trunk/dids: call it once, then it may be "
                "used.",
            )
        return wanted
    if trunk.caller_id:
        return trunk.caller_id
    if len(called) != 1:
        raise NotDialled(
            "no_caller_id",
            "Say which number to call from: give caller_id here, or set one with PUT /api/trunk."
            if called
            else "Your trunk has no number to call from: set caller_id with PUT /api/trunk, or "
            "call one of its DIDs once, then it may be used.",
        )
    return called[0]


def check_registered(trunk: Trunk) -> None:
    """A trunk of our gateway must be registered. `trunk_not_registered`."""
    if trunk.provider != "gateway" or trunk.status is TrunkStatus.REGISTERED:
        return
    raise NotDialled(
        "trunk_not_registered",
        trunk.detail or "The trunk is not registered yet; see GET /api/trunk.",
        trunk_status=trunk.status.value,
        sip_code=trunk.sip_code,
    )


def check_declined(e164: str, declined_at: int | None, now: int) -> None:
    """Who has declined is not rung again for an hour. `recently_declined`."""
    if declined_at is None:
        return
    left_ms = declined_at + REDIAL_AFTER_DECLINE_S * 1000 - now
    if left_ms > 0:
        raise NotDialled(
            "recently_declined",
            f"{e164} declined a call of yours; it is not rung again within "
            f"{REDIAL_AFTER_DECLINE_S // 60} minutes.",
            retry_after_s=-(-left_ms // 1000),
        )


def check_pace(dialling: Dialling, account: Account, now: int) -> None:
    """Not too many calls at a time (`too_many_dials`), nor in a minute (`dial_rate`)."""
    most = account.max_concurrent_dials
    if len(dialling.calls) >= most:
        raise NotDialled(
            "too_many_dials",
            f"{len(dialling.calls)} calls that you dialled are not over, and the limit is {most}: "
            "hang one up first.",
            limit=most,
        )
    recent, most = dialling.recent_at(now), account.max_dials_per_minute
    if len(recent) >= most:
        # The one whose end of the minute makes room; with a limit of 0 nothing ever does.
        left_ms = recent[-most] + RATE_WINDOW_MS - now if most else RATE_WINDOW_MS
        raise NotDialled(
            "dial_rate",
            f"You have dialled {len(recent)} times within a minute, and the limit is {most}.",
            retry_after_s=max(1, -(-left_ms // 1000)),
            limit=most,
        )


def _normal(host: str) -> str:
    try:
        return parse_host(host)
    except ValueError:
        return host.lower()


def _shown_host(trunk: Trunk) -> str:
    return f"[{trunk.host}]" if ":" in trunk.host else trunk.host
