"""Checks the form fields of the Calls REST API. Each refusal has Twilio's own number.

Source: https://www.twilio.com/docs/voice/api/call-resource (create and update parameters).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from multidict import MultiDictProxy

from common.sip_headers import Introduction, name_fault
from common.uri_headers import decode
from gateway.api.errors import RestError, invalid
from gateway.calls.leg import Destination, Route
from gateway.calls.live_call import Plan
from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.uri import parse_sip_uri
from gateway.twiml.interpreter import Fetch, Inline, Program, is_web_url
from gateway.twiml.verbs import Method

Form = MultiDictProxy[str]

_E164 = re.compile(r"\+[1-9]\d{1,14}")
_SIP_URI = re.compile(r"sips?:[^\s@]+@[^\s@]{1,253}")
_CALLER = re.compile(r"[\w.+*#-]{1,64}", re.ASCII)
_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})
_TWIML_MAX = 4000
_TIMEOUT = (60, 600)
_TIME_LIMIT = (4 * 3600, 24 * 3600)


MAX_REFER = 255
"""Characters of the URI to which the far end is to be transferred."""
MAX_ROUTES = 4
"""Trunks that are tried for one call."""

_Number = Annotated[str, msgspec.Meta(pattern=r"\A[0-9+*#]{1,32}\Z")]


class _Route(msgspec.Struct):
    """One of `Routes`: a trunk, and the numbers as its carrier wants them written."""

    trunk: Annotated[str, msgspec.Meta(pattern=r"\Atrunk_[a-z2-7]{26}\Z")]
    to: _Number
    from_: _Number = msgspec.field(name="from")


@dataclass(frozen=True, slots=True)
class Create:
    """A call to be placed."""

    destination: Destination
    plan: Plan


@dataclass(frozen=True, slots=True)
class Update:
    """A change to a live call; nothing if all are None."""

    status: Literal["canceled", "completed"] | None = None
    program: Program | None = None
    refer: str | None = None
    """The SIP URI or number that the far end is to call."""


def create(form: Form) -> Create:
    """Check the fields of `POST …/Calls.json`."""
    to, question, in_uri = form.get("To", "").partition("?")
    from_ = form.get("From", "")
    if not to:
        raise invalid(21201, "No 'To' number is specified")
    if question and _E164.fullmatch(to):
        raise invalid(21211, "Headers behind a ? are for SIP URIs; for a number use SipHeaders")
    if not (_E164.fullmatch(to) or (_SIP_URI.fullmatch(to) and len(to) <= 255)):
        raise invalid(21211, f"Invalid 'To' Phone Number: {to[:64]}")
    if not from_:
        raise invalid(21213, "No 'From' number is specified")
    caller = form.get("CallerId") or from_
    if not (_E164.fullmatch(caller) or _SIP_URI.fullmatch(caller) or _CALLER.fullmatch(caller)):
        raise invalid(21212, f"Invalid 'From' Phone Number: {caller[:64]}")
    program = _program(form)
    if program is None:
        raise invalid(21205, "Url parameter is required.")
    trunk_id = form.get("Byoc") or None
    if trunk_id is not None and not _E164.fullmatch(to):
        raise invalid(21211, "With Byoc, 'To' must be a phone number in E.164 form")
    destination = Destination(
        to=to,
        from_=caller,
        trunk_id=trunk_id,
        routes=_routes(form, trunk_id),
        introduction=_introduction(form, in_uri),
        sip_username=form.get("SipAuthUsername") or None,
        sip_password=form.get("SipAuthPassword") or None,
    )
    status_url = form.get("StatusCallback") or None
    if status_url is not None and not is_web_url(status_url):
        raise invalid(21609, f"StatusCallback is not a valid URL: {status_url[:128]}")
    plan = Plan(
        program=program,
        status_url=status_url,
        status_method=_method(form, "StatusCallbackMethod"),
        events=_events(form),
        ring_timeout=_seconds(form, "Timeout", *_TIMEOUT),
        time_limit=_seconds(form, "TimeLimit", *_TIME_LIMIT),
    )
    return Create(destination, plan)


def _introduction(form: Form, in_uri: str) -> Introduction:
    """Return what the INVITE shall tell: headers stand in `SipHeaders`, or in the URI of `To`."""
    name, text = form.get("CallerName", ""), form.get("SipHeaders") or in_uri
    if name and (why := name_fault(name)) is not None:
        raise invalid(20001, f"CallerName: {why}")
    try:
        return Introduction(name, headers=decode(text) if text else {})
    except ValueError as error:
        raise invalid(20001, f"SipHeaders: {error}") from None


def _routes(form: Form, trunk_id: str | None) -> tuple[Route, ...]:
    """Return the trunks to try, the first of which is `Byoc`; none without the field."""
    text = form.get("Routes")
    if not text:
        return ()
    try:
        given = msgspec.json.decode(text, type=list[_Route])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise invalid(20001, f"Routes is not a list of routes: {str(error)[:128]}") from None
    if not 1 <= len(given) <= MAX_ROUTES:
        raise invalid(20001, f"Routes must have 1 to {MAX_ROUTES} routes, not {len(given)}")
    if given[0].trunk != trunk_id:
        raise invalid(20001, "Byoc must be the trunk of the first of the Routes")
    return tuple(Route(each.trunk, each.to, each.from_) for each in given)


def update(form: Form) -> Update:
    """Check the fields of `POST …/Calls/{sid}.json`."""
    match form.get("Status"):
        case None | "" if target := form.get("Refer"):
            return Update(refer=_refer(target))
        case None | "":
            return Update(program=_program(form))
        case "canceled":
            return Update("canceled")
        case "completed":
            return Update("completed")
        case other:
            raise invalid(20001, f"Status must be canceled or completed, not {other[:32]}")


def _refer(target: str) -> str:
    """Return a number or SIP URI to which REFER may lead; no headers, which could act as a call."""
    if _E164.fullmatch(target):
        return target
    try:
        uri = parse_sip_uri(target) if target.isascii() and len(target) <= MAX_REFER else None
    except SipSyntaxError:
        uri = None
    if uri is None or not uri.user or uri.headers or uri.password is not None:
        raise invalid(21211, f"Invalid 'Refer' URI or phone number: {target[:64]}")
    return str(uri)


def _program(form: Form) -> Program | None:
    # With both given, Twilio ignores Twiml.
    if url := form.get("Url"):
        if not is_web_url(url):
            raise invalid(21205, f"Url is not a valid URL: {url[:128]}")
        return Fetch(url, _method(form, "Method"))
    if twiml := form.get("Twiml"):
        if len(twiml) > _TWIML_MAX:
            raise invalid(32018, f"Twiml is longer than {_TWIML_MAX} characters")
        return Inline(twiml)
    return None


def _method(form: Form, name: str) -> Method:
    match form.get(name, "POST").upper():
        case "POST":
            return "POST"
        case "GET":
            return "GET"
        case _:
            raise invalid(21403, f"{name} must be GET or POST")


def _events(form: Form) -> frozenset[str]:
    # A misspelt event is not refused: Twilio answers 201, logs 21626 and sends no callbacks at
    # all. Some clients put all events into one value.
    asked = {word for value in form.getall("StatusCallbackEvent", []) for word in value.split()}
    if not asked:
        return frozenset({"completed"})
    return frozenset(asked) if asked <= _EVENTS else frozenset()


def _seconds(form: Form, name: str, default: int, most: int) -> float:
    text = form.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= most):
        raise _out_of_range(name, most)
    return int(text)


def _out_of_range(name: str, most: int) -> RestError:
    return invalid(21208, f"{name} must be a whole number of seconds from 1 to {most}")
