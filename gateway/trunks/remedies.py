"""Remedies: the advice to a trunk's owner after a failure, and the time until the next attempt.

The owner sees a sentence instead of SIP's number; the sentence is the trunk's `detail`. It contains
no times and no counters, because each change of it is an event for the owner. No I/O.
Sources: RFC 3261 21 (response codes); Kamailio's 476 to 478, for requests that it could not send
on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.trunks.trunk import Status, Trunk

NO_SIP = "this gateway has no SIP: GATEWAY_SIP_PORT is not set"
"""The failure reason in a gateway without a SIP stack."""

MAX_DETAIL = 480
"""Limit of a sentence, in characters; the application keeps 500."""

_LONGEST_REASON = 80
_LONGEST_NAME = 100

_CREDENTIALS = frozenset({401, 403, 404, 407})
_TEMPORARY = frozenset({408, 476, 477, 478, 480, 487, 491})

_RETRY = "it is tried again by itself within a minute"
_SLOW_RETRY = (
    "connect the trunk again with what is right (it is tried again by itself, but seldom: carriers "
    "lock out whoever keeps knocking)"
)

_FAILURES = {
    "credentials": "{host} does not accept the username {user} with this password{answer}: check "
    f"both{{and_realm}} and {_SLOW_RETRY}",
    "digest": "{host} wants the password proved in a way that this gateway does not know{answer}: "
    "ask your carrier to accept digest authentication with MD5 or SHA-256, then connect the trunk "
    "again; username and password may well be right",
    "forbidden": "{host} refuses {user}{answer}: check username and password; if they are right, "
    "the account may be blocked, or the carrier takes registrations from known addresses only: ask "
    f"your carrier; then {_SLOW_RETRY}",
    "unknown": "{host} does not know {account}{answer}: check the username and the realm (the "
    f"domain of your SIP account) and {_SLOW_RETRY}",
    "silence": "No answer from {hop}, {way}{answer}: check host, port and transport, and that no "
    f"firewall is in between; {_RETRY}",
    "silence to a stranger": "No answer from {hop}, {way}{answer}: check host, port and transport, "
    "that no firewall is in between, and that your carrier has this gateway's address on its list "
    f"(it also has to answer OPTIONS); {_RETRY}",
    "refused": "{hop} takes no connections at {way}{answer}: check port and transport, mostly "
    f"5060 for UDP and TCP, 5061 for TLS; {_RETRY}",
    "tls": "No TLS with {hop}, {way}{answer}: check that this is the carrier's TLS port, mostly "
    f"5061, or take another transport; {_RETRY}",
    "certificate": "The certificate of {hop}, {way}, does not hold{answer}: give as host the name "
    "that it was issued for, not an address, or ask your carrier which transport to take; "
    f"{_RETRY}",
    "dns": f"{{hop}} has no address{{answer}}: check the host's spelling; {_RETRY}",
    "interval": "{host} wants longer times between registrations{answer}: the gateway's operator "
    "has to set GATEWAY_SIP_REGISTER_INTERVAL higher",
    "loop": "The registration went in circles{answer}: {host} is probably no registrar; check the "
    "host and the realm with your carrier, then connect the trunk again",
    "carrier": f"{{host}} has trouble of its own{{answer}}: nothing to do here, {_RETRY}; ask your "
    "carrier if it lasts",
    "other": "{host} turned the registration down{answer}: compare host, port, transport, username "
    "and realm with what your carrier says, or ask them about that answer; then connect the trunk "
    "again",
}

_NO_DIGEST = " asks for "
_REFUSED = " does not accept the username "
"""Words of the SIP library about challenges (`gateway/sip/digest/client.py`)."""

_WORDS = (
    (("certificate", "verify", "unknown ca", "self-signed", "self signed"), "certificate"),
    (("tls", "ssl", "handshake"), "tls"),
    (("refused", "reset by peer", "broken pipe"), "refused"),
    (("resolve", "dns", "no such host", "name or service", "not known", "destination addr"), "dns"),
    (("timed out", "timeout", "no answer", "no response", "unreachable", "no route"), "silence"),
)
"""Words that mark a failure without a SIP code; the first match counts."""

_KINDS = {
    401: "credentials",
    403: "forbidden",
    404: "unknown",
    407: "credentials",
    408: "silence",
    423: "interval",
    476: "dns",
    477: "refused",
    478: "dns",
    482: "loop",
    483: "loop",
    604: "unknown",
}


def remedy(status: Status, sip_code: int | None, reason: str, trunk: Trunk) -> str:
    """Return one sentence on the state of a registration and, after a failure, on what to do about
    it.

    `reason` is the carrier's phrase or the stack's. The trunk's password is never in the sentence.
    """
    reason = _shown(reason, trunk)
    match status:
        case "registered":
            return _sentence(f"Registered with {_short(trunk.host)} as {trunk.username}")
        case "ready":
            said = " ".join(part for part in (str(sip_code or ""), reason) if part)
            return _sentence(f"{_short(trunk.host)} answers ({said}): calls can come and go")
        case "registering":
            why = f" ({reason})" if reason else ""
            doing = "Registering with" if trunk.registers else "Waiting for an answer of"
            return _sentence(f"{doing} {_short(trunk.host)}{why}: look again in a few seconds")
        case "failed":
            if reason == NO_SIP:
                return _sentence(reason)
            kind = _kind(sip_code, reason)
            if kind == "silence" and not trunk.registers:
                kind = "silence to a stranger"
            return _sentence(_failure(kind, sip_code, reason, trunk))


def private_host(trunk: Trunk) -> str:
    """Return the sentence for a host in a private network."""
    what = "registrar as host" if trunk.outbound_proxy is None else "proxy as outbound_proxy"
    return _sentence(
        f"{_short(trunk.hop.host)} leads to a private address, where this gateway does not "
        f"register: give the public name or address of your carrier's {what}"
    )


def private_network(trunk: Trunk) -> str:
    """Return the sentence for networks with private addresses."""
    shown = ", ".join(str(each) for each in trunk.networks[:4])
    return _sentence(
        f"The networks of this trunk ({shown}) have private addresses, from which no call can "
        "come: give the public networks of your carrier"
    )


def unresolved_host(trunk: Trunk) -> str:
    """Return the sentence for a host that has no address."""
    return _sentence(_failure("dns", None, "", trunk))


def unusable(why: str) -> str:
    """Return the sentence for settings that are not valid; `why` as in "its username has …"."""
    return _sentence(f"The trunk cannot be registered, {why}: connect it again with other settings")


def retry_after_s(failures: int, sip_code: int | None, random: float) -> float:
    """Return the seconds until the next attempt after `failures` (from 1) in a row.

    `sip_code` is that of the last failure; None: no answer at all. `random` from 0 to 1 varies the
    result by ±25 %.

    Refusals wait 60, 120 … 1800: refused credentials, and all others that a retry does not change.
    Time-outs, lost connections and 5xx wait 2, 4, 8 … 60: those are temporary.
    """
    refused = (
        sip_code is not None
        and sip_code not in _TEMPORARY
        and (300 <= sip_code < 500 or sip_code >= 600)
    )
    first, most = (60.0, 1800.0) if refused else (2.0, 60.0)
    doublings = min(max(failures, 1) - 1, 16)
    return min(most, first * 2.0**doublings) * (0.75 + 0.5 * random)


def _kind(sip_code: int | None, reason: str) -> str:
    if sip_code in (401, 407) and _NO_DIGEST in reason:
        return "digest"
    if sip_code is not None:
        return _KINDS.get(sip_code, "carrier" if 500 <= sip_code < 600 else "other")
    lowered = reason.lower()
    for words, kind in _WORDS:
        if any(word in lowered for word in words):
            return kind
    return "silence"


def _failure(kind: str, sip_code: int | None, reason: str, trunk: Trunk) -> str:
    if _REFUSED in reason:
        reason = ""  # the sentence says it
    said = " ".join(part for part in (str(sip_code or ""), reason) if part)
    hop = trunk.hop
    port = f"port {hop.port} " if hop.port is not None else "the port that DNS names, "
    return _FAILURES[kind].format(
        host=_short(trunk.host),
        hop=_short(hop.host),
        user=trunk.username,
        account=f"{trunk.username}@{_short(trunk.domain)}",
        way=f"{port}over {trunk.transport.upper()}",
        answer=f" ({said})" if said else "",
        and_realm=", and the realm" if trunk.realm else "",
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _shown(reason: str, trunk: Trunk) -> str:
    """Return a stranger's text, on one line, short and without a full stop; none of it if the
    password is in it.
    """
    if trunk.password is not None and trunk.password in reason:
        return ""
    line = "".join(char if char.isprintable() else " " for char in reason[:_LONGEST_REASON])
    return " ".join(line.split()).rstrip(".")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:] if text.startswith("this ") else text
    return (text if len(text) < MAX_DETAIL else text[: MAX_DETAIL - 2] + "…") + "."
