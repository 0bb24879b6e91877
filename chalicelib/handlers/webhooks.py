"""`/webhooks/{provider}/…`: what trunking providers post. The signature is checked before anything
else is looked at; a bad one is 403 and leaves no trace.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

from chalice.app import Blueprint, Response
from pydantic import BaseModel, Field

from chalicelib import bootstrap
from chalicelib.domain.call import inbound_call_id
from chalicelib.http import FORM, form_body, no_content
from chalicelib.logs import log_context
from chalicelib.problems import Problem
from chalicelib.providers.base import AskAgain, Instruction, Provider
from chalicelib.services import ring

routes = Blueprint(__name__)
log = logging.getLogger(__name__)

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}


class Post(BaseModel):
    """The parameters we need of a provider's post; it sends many more."""

    call_sid: str = Field(alias="CallSid", min_length=2, max_length=64)
    from_: str = Field(alias="From", default="", max_length=255)
    to: str = Field(alias="To", default="", max_length=255)
    status: str = Field(alias="CallStatus", default="", max_length=32)
    forwarded_from: str | None = Field(alias="ForwardedFrom", default=None, max_length=255)


@routes.route("/webhooks/{provider}/voice", methods=["POST"], content_types=FORM)
def voice(provider: str) -> Response:
    """A call comes in."""
    trusted, post = _checked(provider, "voice")
    incoming = _incoming(provider, post)
    ask = functools.partial(ring.receive, bootstrap.ports(), incoming)
    return _answer(trusted, post, "voice", ask)


@routes.route("/webhooks/{provider}/ringing", methods=["POST"], content_types=FORM)
def ringing(provider: str) -> Response:
    """A ringing call asks again."""
    trusted, post = _checked(provider, "ringing")
    ask = functools.partial(ring.poll, bootstrap.ports(), provider, post.call_sid)
    return _answer(trusted, post, "ringing", ask)


@routes.route("/webhooks/{provider}/after-stream", methods=["POST"], content_types=FORM)
def after_stream(provider: str) -> Response:
    """A call's stream has ended."""
    trusted, post = _checked(provider, "after-stream")
    ask = functools.partial(ring.resume, bootstrap.ports(), provider, post.call_sid)
    return _answer(trusted, post, "after-stream", ask)


@routes.route("/webhooks/{provider}/status", methods=["POST"], content_types=FORM)
def status(provider: str) -> Response:
    """A call's status; only its end matters for calls that came in."""
    _, post = _checked(provider, "status")
    if post.status in _OVER:
        with log_context(call_id=inbound_call_id(provider, post.call_sid)):
            failed = post.status == "failed"
            ring.caller_gone(bootstrap.ports(), _incoming(provider, post), failed=failed)
    return no_content()


def _checked(name: str, kind: str) -> tuple[Provider, Post]:
    provider = bootstrap.ports().providers.get(name)
    if provider is None:
        raise Problem(404, "unknown_provider", "No such provider")
    form = form_body(routes.current_request)
    signature = routes.current_request.headers.get("x-twilio-signature")
    if not provider.signed(f"/webhooks/{name}/{kind}", form, signature):
        raise Problem(403, "bad_signature", "The signature is missing or wrong")
    return provider, Post.model_validate(form)


def _incoming(provider: str, post: Post) -> ring.Incoming:
    return ring.Incoming(provider, post.call_sid, post.from_, post.to, post.forwarded_from)


def _answer(
    provider: Provider, post: Post, webhook: str, ask: Callable[[], Instruction]
) -> Response:
    """The document that follows from `ask`. An error must not cost the call: providers drop a call
    whose webhook fails, so they are asked to come again instead.
    """
    with log_context(call_id=inbound_call_id(provider.name, post.call_sid)):
        try:
            instruction = ask()
        except Exception:
            log.exception("webhook failed, asked to come again", extra={"webhook": webhook})
            instruction = AskAgain(webhook)
        return Response(provider.document(instruction), {"Content-Type": "text/xml"}, 200)
