"""`/webhooks/{provider}/…`: what trunking providers post. The signature is checked before anything
else is looked at; a bad one is 403 and leaves no trace.

Posts about a call that we dialled carry its id, `?call=call_…`, those about calls that came in
nothing: their ids follow from the provider's. The query is signed like the rest of the URL.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from chalice.app import Blueprint, Response
from pydantic import BeforeValidator, Field

from chalicelib import bootstrap
from chalicelib.domain.call_id import CALL_ID, inbound_call_id
from chalicelib.domain.shape import Shape
from chalicelib.http import FORM, form_body, no_content
from chalicelib.logs import log_context
from chalicelib.problems import Problem
from chalicelib.providers.base import AskAgain, Instruction, Provider
from chalicelib.services import outbound, ring
from chalicelib.services.transition import UnknownCall

routes = Blueprint(__name__)
log = logging.getLogger(__name__)

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}


def _none_if_blank(text: str) -> str | None:
    return text or None


def _sip_code(text: str) -> int | None:
    """A provider's word for it may be blank, or none of ours to refuse a post for."""
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None


class Post(Shape):
    """The parameters we need of a provider's post; it sends many more."""

    call_sid: str = Field(alias="CallSid", min_length=2, max_length=64)
    from_: str = Field(alias="From", default="", max_length=255)
    to: str = Field(alias="To", default="", max_length=255)
    status: str = Field(alias="CallStatus", default="", max_length=32)
    forwarded_from: str | None = Field(alias="ForwardedFrom", default=None, max_length=255)
    trunk_sid: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        alias="TrunkSid", default=None, max_length=64
    )
    sip_call_id: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        alias="SipCallId", default=None, max_length=255
    )
    sip_code: Annotated[int | None, BeforeValidator(_sip_code)] = Field(
        alias="SipResponseCode", default=None
    )


@dataclass(frozen=True)
class Posted:
    """A post whose signature is good. `dialled` is the call of ours that its URL names, if any."""

    provider: Provider
    webhook: str
    post: Post
    dialled: str | None

    @property
    def call_id(self) -> str:
        """The call that it is about, whether or not there is one."""
        return self.dialled or inbound_call_id(self.provider.name, self.post.call_sid)


@routes.route("/webhooks/{provider}/voice", methods=["POST"], content_types=FORM)
def voice(provider: str) -> Response:
    """A call comes in."""
    posted = _checked(provider, "voice")
    return _answer(posted, functools.partial(ring.receive, bootstrap.ports(), _incoming(posted)))


@routes.route("/webhooks/{provider}/answered", methods=["POST"], content_types=FORM)
def answered(provider: str) -> Response:
    """The called party of a call that we dialled has picked up."""
    return _called_party_waits(_checked(provider, "answered"))


@routes.route("/webhooks/{provider}/ringing", methods=["POST"], content_types=FORM)
def ringing(provider: str) -> Response:
    """A ringing call asks again; one that we dialled does so only once it is answered."""
    posted = _checked(provider, "ringing")
    if posted.dialled:
        return _called_party_waits(posted)
    ask = functools.partial(ring.poll, bootstrap.ports(), provider, posted.post.call_sid)
    return _answer(posted, ask)


@routes.route("/webhooks/{provider}/after-stream", methods=["POST"], content_types=FORM)
def after_stream(provider: str) -> Response:
    """A call's stream has ended."""
    posted = _checked(provider, "after-stream")
    ports, sid = bootstrap.ports(), posted.post.call_sid
    if posted.dialled:
        ask = functools.partial(outbound.resume, ports, provider, posted.dialled, sid)
    else:
        ask = functools.partial(ring.resume, ports, provider, sid)
    return _answer(posted, ask)


@routes.route("/webhooks/{provider}/status", methods=["POST"], content_types=FORM)
def status(provider: str) -> Response:
    """A call's status; of calls that came in only the end matters."""
    posted = _checked(provider, "status")
    ports, post = bootstrap.ports(), posted.post
    with log_context(call_id=posted.call_id, sip_call_id=post.sip_call_id):
        if posted.dialled:
            outbound.told(
                ports, provider, posted.dialled, post.call_sid, post.status, post.sip_code
            )
        elif post.status in _OVER:
            ring.caller_gone(ports, _incoming(posted), failed=post.status == "failed")
    return no_content()


def _checked(name: str, webhook: str) -> Posted:
    provider = bootstrap.ports().providers.get(name)
    if provider is None:
        raise Problem(404, "unknown_provider", "No such provider")
    request = routes.current_request
    form = form_body(request)
    query: Mapping[str, str] = request.query_params or {}
    given = query.get("call")
    # What is no id of a call was not signed by anybody: without it the signature does not fit.
    dialled = given if given and CALL_ID.fullmatch(given) else None
    signature = request.headers.get("x-twilio-signature")
    if not provider.signed(webhook, dialled, form, signature):
        raise Problem(403, "bad_signature", "The signature is missing or wrong")
    return Posted(provider, webhook, Post.model_validate(form), dialled)


def _incoming(posted: Posted) -> ring.Incoming:
    post = posted.post
    return ring.Incoming(
        posted.provider.name,
        post.call_sid,
        post.from_,
        post.to,
        post.forwarded_from,
        trunk_id=post.trunk_sid,
    )


def _called_party_waits(posted: Posted) -> Response:
    if posted.dialled is None:
        raise UnknownCall(posted.webhook)
    ask = functools.partial(
        outbound.answered,
        bootstrap.ports(),
        posted.provider.name,
        posted.dialled,
        posted.post.call_sid,
    )
    return _answer(posted, ask)


def _answer(posted: Posted, ask: Callable[[], Instruction]) -> Response:
    """The document that follows from `ask`. An error must not cost the call: providers drop a call
    whose webhook fails, so they are asked to come again instead. A call that is not the provider's
    own is 404, and dropped.
    """
    # The SIP Call-ID joins our log with the gateway's and the carrier's.
    with log_context(call_id=posted.call_id, sip_call_id=posted.post.sip_call_id):
        try:
            instruction = ask()
        except UnknownCall:
            log.warning(
                "post about a call that is not the poster's", extra={"webhook": posted.webhook}
            )
            raise
        except Exception:
            log.exception("webhook failed, asked to come again", extra={"webhook": posted.webhook})
            instruction = AskAgain(posted.webhook)
        document = posted.provider.document(instruction, posted.dialled)
        return Response(document, {"Content-Type": "text/xml"}, 200)
