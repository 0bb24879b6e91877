"""Tells who calls, who is called and who forwarded a call, from the headers of its INVITE.

All of it was written by strangers. A party is read by the grammar, from the user part of a SIP URI
or from a tel URI: never from a display name, a URI parameter or a URI header. The display name is
that of the header that names the caller, or else From's.

    who calls       P-Asserted-Identity (RFC 3325), Remote-Party-ID (draft-ietf-sip-privacy-01),
                    From (RFC 3261 20.20), P-Preferred-Identity (RFC 3325)
    who hides       Privacy (RFC 3323, 3325), `privacy` of Remote-Party-ID and Diversion
    who is called   P-Called-Party-ID (RFC 7315), request URI, To, History-Info
    who forwarded   Diversion (RFC 5806), History-Info (RFC 7044)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.grammar import Params
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import OtherUri, SipUri, TelUri, Uri

MAX_VALUES = 32
"""Values of one header that are read, e.g. the entries of a History-Info."""
MAX_TEXT = 255
"""Characters of a party's text."""

_NUMBER = re.compile(r"\+?[0-9*#]{2,32}", re.ASCII)
_COUNTRY_CODE = re.compile(r"\+[1-9][0-9]{0,2}", re.ASCII)
_NATIONAL = re.compile(r"[1-9][0-9]{7,13}", re.ASCII)
_SEPARATORS = str.maketrans("", "", "-.() ")
"""Removes visual separators (RFC 3966 5.1.1); blanks come escaped."""
_RESERVED = frozenset("@:;?<>")

_NOBODY = frozenset({"anonymous", "restricted", "unavailable", "unknown", "private", "withheld"})
"""Users that stand for a caller who is not named: RFC 3323 4.1.1.3, 3GPP TS 23.003 13.6 and 13.7,
and what exchanges write."""
_HIDES_ALL = frozenset({"id", "full"})
"""Values of Privacy that hide the asserted identity, too. `full` is Remote-Party-ID's word."""
_HIDES_HISTORY = frozenset({"history", "header", "session"})
"""Values of Privacy that hide the entries of a History-Info (RFC 7044 10.1, RFC 4244 3.2)."""


@dataclass(frozen=True, slots=True)
class Party:
    """A party of a call. `str()` is the number, or else the URI."""

    uri: str
    """`sip:user@host` without password, port and parameters; at most MAX_TEXT characters."""
    number: str = ""
    """`+33612345678`, or a number in the sender's dialling plan; "" if it is none."""
    context: str = ""
    """The global prefix within which a local number is valid: `+33` (RFC 3966 5.1.5)."""
    hidden: bool = False
    """True if the URI is one that stands for nobody."""
    name: str = ""
    """The display name as it was written: any text of a stranger's."""
    verstat: str = ""
    """The carrier's word about the number (3GPP TS 24.229 7.2A.20), e.g. `TN-Validation-Passed`."""

    def __str__(self) -> str:
        if self.context:
            return f"tel:{self.number};phone-context={self.context}"
        return self.number or self.uri


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a call. `caller` and `forwarder` are None if they are hidden or not named,
    `called` is None if nothing names it."""

    caller: Party | None
    called: Party | None
    forwarder: Party | None

    @property
    def anonymous(self) -> bool:
        """Return whether the caller is not to be known."""
        return self.caller is None


@dataclass(frozen=True, slots=True)
class _Named:
    """A party with the parameters and the headers of the URI that it stood with."""

    party: Party
    params: Params
    escaped: dict[str, str]

    @property
    def hides(self) -> bool:
        """Return whether `privacy` hides the URI; `full-network` is the draft's older spelling."""
        wanted = (word.partition("-")[0] for word in _words(self.params.text("privacy")))
        return self.party.hidden or not {"full", "uri", "id"}.isdisjoint(wanted)


def parties_of(headers: Headers, request_uri: str = "") -> Parties:
    """Return the parties of a call, from the headers and the request URI of its INVITE.

    Never raises: what is not SIP names nobody.
    """
    history = sorted(_read(headers, "History-Info"), key=_index)
    diversions = list(_read(headers, "Diversion"))
    called = _called(headers, request_uri, history, diversions)
    privacy = {word for line in headers.all("Privacy") for word in _words(line)}
    return Parties(
        caller=_introduced(_caller(headers, privacy), headers, privacy),
        called=called,
        forwarder=_forwarder(diversions, history, called, privacy),
    )


def party_of(text: str) -> Party | None:
    """Return the party in a name-addr or addr-spec; None if the text is neither."""
    found = _named(text)
    return found.party if found else None


def _caller(headers: Headers, privacy: set[str]) -> Party | None:
    remote = [named for named in _read(headers, "Remote-Party-ID") if _is_caller(named)]
    if not _HIDES_ALL.isdisjoint(privacy) or any(named.hides for named in remote):
        return None
    asserted = list(_read(headers, "P-Asserted-Identity"))
    for given in (asserted, remote):
        if number := _first_number(given):
            return number
    if asserted:
        return _shown(asserted[0])
    from_ = _named(headers.get("From"))
    if "user" in privacy or (from_ is not None and from_.party.hidden):
        return None
    preferred = list(_read(headers, "P-Preferred-Identity"))
    first = [from_] if from_ else []
    candidates = [*first, *preferred, *remote]
    return _first_number(candidates) or (_shown(candidates[0]) if candidates else None)


def _introduced(caller: Party | None, headers: Headers, privacy: set[str]) -> Party | None:
    """Return the caller with the name, and the word about the number, that From has, where the
    header that names the caller has none.
    """
    from_ = _named(headers.get("From"))
    if caller is None or from_ is None or from_.party.hidden:
        return caller
    name = "" if "user" in privacy else from_.party.name
    verstat = from_.party.verstat if _same(from_.party, caller) else ""
    return replace(caller, name=caller.name or name, verstat=caller.verstat or verstat)


def _is_caller(named: _Named) -> bool:
    """Return whether a Remote-Party-ID is of the calling party, which needs not be said."""
    return named.params.text("party").lower() in ("", "calling")


def _called(
    headers: Headers, request_uri: str, history: list[_Named], diversions: list[_Named]
) -> Party | None:
    """Return the called party: the first number, else the first URI.

    With many carriers the request URI names the called number and To the account; with others the
    request URI is the registration's contact, which is not a number.
    """
    meant = _named(headers.get("P-Called-Party-ID"))
    to = _named(headers.get("To"))
    target = _named(f"<{request_uri}>")
    candidates = [named for named in (meant, target, to) if named is not None]
    if number := _first_number(candidates) or _last_target(history, diversions):
        return number
    named = meant or to or target
    return named.party if named else None


def _last_target(history: list[_Named], diversions: list[_Named]) -> Party | None:
    """Return the number of a History-Info that was targeted last.

    One entry alone may be that of a number that forwarded the call: it is, if it says for what
    reason it was left, or if a Diversion names it.
    """
    numbers = [named for named in history if named.party.number]
    if not numbers:
        return None
    last = numbers[-1]
    if len(history) == 1:
        left = "reason" in last.escaped or "cause" in last.params
        if left or any(named.party.number == last.party.number for named in diversions):
            return None
    return last.party


def _forwarder(
    diversions: list[_Named], history: list[_Named], called: Party | None, privacy: set[str]
) -> Party | None:
    """Return the party that forwarded the call here last: the topmost Diversion, or the last target
    of the History-Info that is not the called party."""
    if diversions:
        return _shown(diversions[0])
    if not _HIDES_HISTORY.isdisjoint(privacy):
        return None
    numbers = [named for named in history if named.party.number]
    for named in reversed(numbers):
        if called is None or not _same(named.party, called):
            found = named
            break
    else:
        if numbers or len(history) < 2:
            return None
        found = history[-2]
    entry_hides = not _HIDES_HISTORY.isdisjoint(_words(found.escaped.get("privacy", "")))
    return None if entry_hides else _shown(found)


def _same(one: Party, other: Party) -> bool:
    """Return whether two parties are numbers that differ by no more than the country code."""
    if not (one.number and other.number):
        return False
    first, second = one.number.lstrip("+0"), other.number.lstrip("+0")
    return first.endswith(second) or second.endswith(first)


def _first_number(given: Iterable[_Named]) -> Party | None:
    return next((each.party for each in given if each.party.number and not each.hides), None)


def _shown(named: _Named) -> Party | None:
    return None if named.hides else named.party


def _read(headers: Headers, name: str) -> Iterator[_Named]:
    """Yield the values of a list header that name a party."""
    for value in headers.values(name)[:MAX_VALUES]:
        if found := _named(value):
            yield found


def _named(text: str) -> _Named | None:
    try:
        address = Address.parse(text)
    except SipSyntaxError:
        return None
    party = replace(_party(address), name=address.name)
    return _Named(party, address.params, _escaped(address.uri))


def _party(address: Address) -> Party:
    uri = address.uri
    if isinstance(uri, OtherUri):
        return Party(_clean(str(uri)))
    # Without brackets the parameters of the URI are taken for the header's (RFC 3261 20).
    params = Params({**address.params, **uri.params})
    if isinstance(uri, TelUri):
        found = _subscriber(uri.number, params, _clean(f"tel:{uri.number}"))
        return replace(found, verstat=params.text("verstat")[:MAX_TEXT])
    user = uri.decoded_user
    shown = _clean(str(replace(uri.bare(), user=_readable(uri))))
    phone = params.text("user").partition("?")[0].lower() == "phone"
    number = _number_in(user, phone=phone)
    params = Params({**params, **uri.user_params})
    found = _subscriber(number, params, shown)
    hidden = user.lower() in _NOBODY or _names_nobody(uri.host)
    return replace(found, hidden=hidden, verstat=params.text("verstat")[:MAX_TEXT])


def _readable(uri: SipUri) -> str:
    """Return the user without escapes, unless what they hide is a separator of the URI."""
    user = uri.decoded_user
    return uri.user.partition(";")[0] if _RESERVED.intersection(user) else user


def _escaped(uri: Uri) -> dict[str, str]:
    """Return the headers of a URI by their names in lower case: `?Reason=SIP%3Bcause%3D302`."""
    if not isinstance(uri, SipUri):
        return {}
    # They begin at the first `?` behind the host, even if a parameter's value has swallowed it.
    behind = str(replace(uri, user="", password=None)).partition("?")[2]
    fields = (each.partition("=") for each in behind.split("&"))
    return {name.lower(): unquote(value) for name, _, value in fields}


def _subscriber(number: str, params: Params, uri: str) -> Party:
    """Return the party of a telephone-subscriber (RFC 3966 3), `number` without separators.

    A national number within a country code is that country's, unless it begins with what is dialled
    before it, or with the code again: then only who knows the country can tell what to remove.
    Longer contexts are no prefixes (RFC 3966 5.1.5).
    """
    if not _NUMBER.fullmatch(number):
        return Party(uri)
    context = params.text("phone-context").translate(_SEPARATORS)
    if number.startswith(("+", "00")) or not _COUNTRY_CODE.fullmatch(context):
        return Party(uri, number)
    if _NATIONAL.fullmatch(number) and not number.startswith(context[1:]):
        return Party(uri, context + number)
    return Party(uri, number, context)


def _number_in(user: str, *, phone: bool) -> str:
    """Return the number that a user part is, "" if it is none.

    Separators are removed if it cannot be a name: with `user=phone`, or after a plus or zero.
    """
    if user.startswith("+"):
        user = user.replace("(0)", "")
    bare = user.translate(_SEPARATORS) if phone or user[:1] in ("+", "0") else user
    return bare if _NUMBER.fullmatch(bare) else ""


def _names_nobody(host: str) -> bool:
    """Return whether a host is one that cannot exist (RFC 2606), as `anonymous.invalid`."""
    return host == "invalid" or host.endswith(".invalid")


def _words(text: str) -> list[str]:
    """Return the words of a list; people write commas where the RFC has semicolons."""
    return [word for word in re.split(r"[;,\s]+", text.lower()) if word]


def _index(named: _Named) -> tuple[int, ...]:
    """Return the index of a History-Info's entry as numbers: 1.10 comes after 1.9."""
    parts = named.params.text("index").split(".")
    return tuple(int(part[:9]) for part in parts if part.isascii() and part.isdigit())


def _clean(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and not char.isspace())[:MAX_TEXT]
