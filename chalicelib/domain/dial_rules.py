"""The rules of dialling out: through which trunk and as which number a call goes, how many calls at
a time, and how soon again after the called party has declined. Which numbers may be called at all
is in `toll_guard.py`.

Every refusal is a `NotDialled` with a stable code and a detail that says what would help.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.account import Account
from chalicelib.domain.did import Did
from chalicelib.domain.failure import Failure
from chalicelib.domain.host import parse_host
from chalicelib.domain.phone import BadNumber, parse_e164
from chalicelib.domain.trunk import USABLE, Trunk

REDIAL_AFTER_DECLINE_S = 3600
"""Time for which an account may not dial a number that declined its call (603, 607, 608)."""

RATE_WINDOW_MS = 60_000
"""The window of `Account.max_dials_per_minute`."""

MIN_CALL_S = 10
"""The shortest `max_duration_s` of a call."""

_SIP_URL = re.compile(
    r"(?P<scheme>sips?):(?P<user>[^@]*)@(?P<host>\[[^\]@]*\]|[^:;?@\[\]]+)"
    r"(?::(?P<port>\d{1,5}))?(?:;[^;?@\s]+)*",
    re.ASCII | re.IGNORECASE,
)


class NotDialled(Failure):
    """The call is not placed. `code` is a stable word, `detail` says what would help; `facts` are
    members of the answer; `retry_after_s`: seconds after which it may be possible (None: waiting
    does not help).
    """

    def __init__(
        self, code: str, detail: str, *, retry_after_s: int | None = None, **facts: Any
    ) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
        self.retry_after_s, self.facts = retry_after_s, facts
        # 409 and not 404: the path of the request exists, but the account has no trunk yet.
        self.status = 409 if code == "no_trunk" else None

    def members(self) -> dict[str, Any]:
        """Return the facts."""
        return self.facts


@dataclass(frozen=True)
class Target:
    """The number and host that a `meeting_url` names. `port` is None if it names none."""

    e164: str
    host: str
    port: int | None
    secure: bool


@dataclass(frozen=True)
class RecentDials:
    """The dials of an account: ids of its outbound calls that are not over, instants (epoch ms)
    of the dials of the last minute, and how often this was written.
    """

    calls: frozenset[str] = frozenset()
    recent: tuple[int, ...] = ()
    version: int = 0

    def recent_at(self, now: int) -> tuple[int, ...]:
        """Return the dials of the minute before `now`, oldest first."""
        return tuple(sorted(at for at in self.recent if at > now - RATE_WINDOW_MS))


def parse_target(meeting_url: str, trunk: Trunk) -> Target:
    """Parse a URL such as `sip:+33612345678@trunk.example:5060;user=phone`. Raises NotDialled
    (`bad_number`) if it is none.
    """
    found = _SIP_URL.fullmatch(meeting_url.strip())
    try:
        # Separators are refused, so that the number dialled is the number written.
        e164 = parse_e164(found["user"]) if found else None
    except BadNumber:
        e164 = None
    if found is None or e164 is None or e164 != found["user"]:
        raise NotDialled(
            "bad_number",
            "meeting_url is sip:NUMBER@HOST, the number in E.164 form with + and country code: "
            f"sip:+33612345678@{shown_host(trunk)}",
        )
    return Target(
        e164=e164,
        host=found["host"],
        port=int(found["port"]) if found["port"] else None,
        secure=found["scheme"].lower() == "sips",
    )


def leads_to(target: Target, trunk: Trunk) -> bool:
    """Return whether the URL leads to the trunk, by its host or its realm."""
    names = {trunk.host.lower()} | ({trunk.realm.lower()} if trunk.realm else set())
    return _normal(target.host) in names and target.port in (None, trunk.usual_port)


def check_host(target: Target, trunk: Trunk) -> None:
    """Check that the URL leads to the trunk, and whether it asks for TLS. Raises NotDialled
    (`wrong_host`).
    """
    if not leads_to(target, trunk):
        raise NotDialled(
            "wrong_host",
            f"Calls go through your own trunk, {shown_host(trunk)} port {trunk.usual_port}: write "
            f"sip:{target.e164}@{shown_host(trunk)}, or connect that one instead.",
        )
    if target.secure and trunk.transport != "tls":
        raise NotDialled(
            "wrong_host",
            f"sips: asks for TLS, and your trunk is connected by {trunk.transport}: write "
            f"sip:{target.e164}@{shown_host(trunk)}, or connect it with transport tls.",
        )


def choose_caller_id(wanted: str | None, trunk: Trunk, dids: Sequence[Did]) -> str:
    """Return the number to call as: the one wanted if it is the trunk's, else the trunk's caller
    ID, else its only number. Raises NotDialled (`bad_caller_id`, `no_caller_id`).

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
                "once, then it may be used. Or set it as the trunk's caller_id."
                if added
                else f"{wanted} is not a number of your trunk. Use its caller_id or one of its "
                "DIDs, or add the number and call it once, then it may be used.",
            )
        return wanted
    if trunk.caller_id:
        return trunk.caller_id
    if len(called) != 1:
        raise NotDialled(
            "no_caller_id",
            "Say which number to call from: give caller_id here, or set the trunk's."
            if called
            else "Your trunk has no number to call from: set its caller_id, or call one of its "
            "DIDs once, then it may be used.",
        )
    return called[0]


def check_registered(trunk: Trunk) -> None:
    """Check that a trunk of our gateway is registered, or ready. Raises NotDialled
    (`trunk_not_registered`).
    """
    if trunk.provider != "gateway" or trunk.status in USABLE:
        return
    raise NotDialled(
        "trunk_not_registered",
        trunk.detail or "The trunk is not registered yet.",
        trunk_status=trunk.status.value,
        sip_code=trunk.sip_code,
    )


def check_declined(e164: str, declined_at: int | None, now: int) -> None:
    """Refuse to dial a number that declined a call within the last hour: `recently_declined`."""
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


def check_room(dialling: RecentDials, account: Account, inbound: int) -> None:
    """Refuse a dial beyond the calls of both directions that an account may have at a time.
    `too_many_dials`.
    """
    most, held = account.max_concurrent_calls, len(dialling.calls) + inbound
    if held >= most:
        raise NotDialled(
            "too_many_dials",
            f"{held} calls of yours are not over, those that came in included, and the limit is "
            f"{most}: hang one up first.",
            limit=most,
        )


def check_pace(dialling: RecentDials, account: Account, now: int) -> None:
    """Check that the account does not dial too many calls at a time or in a minute. Raises
    NotDialled (`too_many_dials`, `dial_rate`).
    """
    most = account.max_concurrent_dials
    if len(dialling.calls) >= most:
        raise NotDialled(
            "too_many_dials",
            f"{len(dialling.calls)} calls that you dialled are not over, and the limit is {most}: "
            "hang one up first.",
            limit=most,
        )
    check_rate(dialling, account, now)


def check_rate(dialling: RecentDials, account: Account, now: int) -> None:
    """Check that the account does not dial too many calls in a minute. Raises NotDialled
    (`dial_rate`).
    """
    recent, most = dialling.recent_at(now), account.max_dials_per_minute
    if len(recent) >= most:
        # Room is there once the oldest dial that counts is a minute old; with a limit of 0, never.
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


def shown_host(trunk: Trunk) -> str:
    """Return the trunk's host as a URI has it."""
    return f"[{trunk.host}]" if ":" in trunk.host else trunk.host
