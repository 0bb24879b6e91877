"""`/webhooks/{provider}/…`: posts of trunking providers. The signature is checked before anything
else is read; a bad one is 403, and nothing of the post is kept.

Posts about a call that we dialled have its id, `?call=call_…`; the ids of calls that came in follow
from the provider's. The query is signed like the rest of the URL.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.domain.call_id import CALL_ID, inbound_call_id
from chalicelib.http import FORM, JSON, no_content, raw_body
from chalicelib.logs import log_context
from chalicelib.problems import Problem
from chalicelib.providers.base import (
    OVER,
    AskAgain,
    CallStatus,
    CallUpdate,
    Instruction,
    Provider,
    Webhook,
)
from chalicelib.services.call import inbound, outbound
from chalicelib.services.call.number_called import Incoming
from chalicelib.services.call.transition import UnknownCall

routes = Blueprint(__name__)
log = logging.getLogger(__name__)

POSTED = [*FORM, *JSON]
"""Content types that a provider may post."""


@dataclass(frozen=True)
class VerifiedWebhook:
    """A post whose signature is valid. `dialled`: the id of our call in its URL, if there is
    one.
    """

    provider: Provider
    kind: str
    update: CallUpdate
    dialled: str | None

    @property
    def call_id(self) -> str:
        """Return the call that it is about, whether or not there is one."""
        return self.dialled or inbound_call_id(self.provider.name, self.update.provider_call_id)


@routes.route("/webhooks/{provider}/voice", methods=["POST"], content_types=POSTED)
def voice(provider: str) -> Response:
    """Handle a call that comes in."""
    posted = _checked(provider, "voice")
    return _answer(
        posted, functools.partial(inbound.receive, bootstrap.dependencies(), _incoming(posted))
    )


@routes.route("/webhooks/{provider}/answered", methods=["POST"], content_types=POSTED)
def answered(provider: str) -> Response:
    """Handle the answer of a call that we dialled: its called party has picked up."""
    return _called_party_waits(_checked(provider, "answered"))


@routes.route("/webhooks/{provider}/ringing", methods=["POST"], content_types=POSTED)
def ringing(provider: str) -> Response:
    """Handle the poll of a ringing call. A call that we dialled comes here only once it is
    answered.
    """
    posted = _checked(provider, "ringing")
    if posted.dialled:
        return _called_party_waits(posted)
    update = posted.update
    ask = functools.partial(
        inbound.poll,
        bootstrap.dependencies(),
        provider,
        update.provider_call_id,
        redirects=update.redirects_ringing,
    )
    return _answer(posted, ask)


@routes.route("/webhooks/{provider}/after-stream", methods=["POST"], content_types=POSTED)
def after_stream(provider: str) -> Response:
    """Handle the end of a call's stream."""
    posted = _checked(provider, "after-stream")
    deps, sid = bootstrap.dependencies(), posted.update.provider_call_id
    if posted.dialled:
        ask = functools.partial(outbound.resume, deps, provider, posted.dialled, sid)
    else:
        ask = functools.partial(inbound.resume, deps, provider, sid)
    return _answer(posted, ask)


@routes.route("/webhooks/{provider}/status", methods=["POST"], content_types=POSTED)
def status(provider: str) -> Response:
    """Handle a call's status; of calls that came in only the end matters."""
    posted = _checked(provider, "status")
    deps, update = bootstrap.dependencies(), posted.update
    with log_context(call_id=posted.call_id, sip_call_id=update.sip_call_id):
        if update.refer_code is not None:
            from chalicelib.services.call import transfer  # most posts need none of it

            transfer.referred(deps, posted.call_id, update.provider_call_id, update.refer_code)
        if posted.dialled:
            outbound.handle_status(
                deps,
                provider,
                posted.dialled,
                update.provider_call_id,
                update.status,
                update.sip_code,
                update.trunk_id,
            )
        elif update.status in OVER:
            inbound.caller_gone(
                deps,
                _incoming(posted),
                failed=update.status is CallStatus.FAILED,
                rejected=update.status is CallStatus.BUSY,
            )
        if update.held is not None and update.sequence is not None:
            from chalicelib.services.call import far_end_hold  # most calls need none of it

            call_id, sequence = posted.call_id, update.sequence
            far_end_hold.note(deps, call_id, held=update.held, sequence=sequence)
        if update.facts is not None or update.quality is not None:
            from chalicelib.services.call import facts  # most webhooks tell nothing of it

            facts.take_update(deps, posted.call_id, update)
    return no_content()


@routes.route("/webhooks/{provider}/amd", methods=["POST"], content_types=POSTED)
def amd(provider: str) -> Response:
    """Handle what the provider has found out about who answered a call that we dialled."""
    posted = _checked(provider, "amd")
    found, dialled = posted.update.found, posted.dialled
    if dialled is None:
        raise UnknownCall(posted.kind)
    if found is not None:
        from chalicelib.services.call import answered  # most processes get no such post

        with log_context(call_id=dialled):
            sid = posted.update.provider_call_id
            answered.posted(bootstrap.dependencies(), provider, dialled, sid, found)
    return no_content()


def _checked(name: str, kind: str) -> VerifiedWebhook:
    """Return the post of the current request, once its provider has checked and read it."""
    provider = bootstrap.dependencies().providers.get(name)
    if provider is None:
        raise Problem(404, "unknown_provider", "No such provider")
    request = routes.current_request
    body = raw_body(request)
    query: Mapping[str, str] = request.query_params or {}
    given = query.get("call")
    # Nobody signs a URL with an invalid id: without it in the URL, the signature does not match.
    dialled = given if given and CALL_ID.fullmatch(given) else None
    update = provider.parse_webhook(Webhook(kind, dialled, request.headers, body))
    return VerifiedWebhook(provider, kind, update, dialled)


def _incoming(posted: VerifiedWebhook) -> Incoming:
    update = posted.update
    return Incoming(
        posted.provider.name,
        update.provider_call_id,
        update.from_,
        update.to,
        update.forwarded_from,
        trunk_id=update.trunk_id,
        trunk_source=update.trunk_source,
        trusted=update.trusted,
        redirects_ringing=update.redirects_ringing,
        introduction=update.introduction,
    )


def _called_party_waits(posted: VerifiedWebhook) -> Response:
    if posted.dialled is None:
        raise UnknownCall(posted.kind)
    ask = functools.partial(
        outbound.answered,
        bootstrap.dependencies(),
        posted.provider.name,
        posted.dialled,
        posted.update.provider_call_id,
        posted.update.trunk_id,
    )
    return _answer(posted, ask)


def _answer(posted: VerifiedWebhook, ask: Callable[[], Instruction]) -> Response:
    """Return the document of the instruction that `ask` returns. Providers drop a call
    whose webhook fails, so after an error they are asked to post again. A call that is not the
    provider's own is 404.
    """
    # The SIP Call-ID joins our log with the gateway's and the carrier's.
    with log_context(call_id=posted.call_id, sip_call_id=posted.update.sip_call_id):
        try:
            instruction = ask()
        except UnknownCall:
            log.warning(
                "post about a call that is not the poster's", extra={"webhook": posted.kind}
            )
            raise
        except Exception:
            log.exception("webhook failed, asked to come again", extra={"webhook": posted.kind})
            instruction = AskAgain(posted.kind)
        document = posted.provider.document(instruction, posted.dialled)
        return Response(document, {"Content-Type": posted.provider.content_type}, 200)
