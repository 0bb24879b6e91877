"""A dialog: what two user agents know of each other between INVITE and BYE (RFC 3261 12)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Address, CSeq
from gateway.sip.syntax.message import Message, Request, Response
from gateway.sip.syntax.uri import SipUri, parse_sip_uri, parse_uri

MAX_ROUTES = 20
"""Proxies of a route set."""


@dataclass(slots=True, kw_only=True)
class Dialog:
    """The state of RFC 3261 12. `local` and `remote` are From and To as we write them."""

    call_id: str
    local: Address
    remote: Address
    target: str
    """The URI to which the next request goes: the far end's Contact."""
    routes: list[str] = field(default_factory=list)
    """The route set, each a name-addr as the proxy wrote it."""
    local_cseq: int
    remote_cseq: int = -1
    """The number of the far end's last request; -1: there was none."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what identifies the dialog here: Call-ID, our tag, the far end's tag."""
        return self.call_id, self.local.tag, self.remote.tag

    @classmethod
    def of_incoming(cls, request: Request, tag: str, cseq: int) -> Dialog:
        """Return the dialog that an INVITE opens, with our tag (12.1.1).

        An INVITE without a Contact is answered all the same: its From is the target then.
        """
        return cls(
            call_id=request.call_id,
            local=request.to.tagged(tag),
            remote=request.from_,
            target=contact_of(request) or str(request.from_.uri),
            routes=route_set(request),
            local_cseq=cseq,
            remote_cseq=request.cseq.number,
        )

    @classmethod
    def of_response(cls, request: Request, response: Response) -> Dialog:
        """Return the dialog that a response to our INVITE opens (12.1.2)."""
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            target=contact_of(response) or request.uri,
            routes=route_set(response)[::-1],
            local_cseq=request.cseq.number,
        )

    def request(self, method: str, *, cseq: int | None = None) -> Request:
        """Return a request in the dialog; ACK and CANCEL of an INVITE give its `cseq`."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self.target, self.routes
        if routes and not _is_loose(routes[0]):
            # A strict router (RFC 2543) wants to be in the request URI (12.2.1.1).
            uri = str(Address.parse(routes[0]).uri)
            routes = [*routes[1:], f"<{self.target}>"]
        request = Request(method, uri)
        for route in routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", 70)
        request.headers.add("From", self.local)
        request.headers.add("To", self.remote)
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", CSeq(cseq, method))
        return request

    def check_order(self, request: Request) -> None:
        """Note the number of a request of the far end. Raise Refusal if it is an old one."""
        number = request.cseq.number
        if number <= self.remote_cseq:
            raise Refusal(500, "This request is older than the one before", Retry_After="1")
        self.remote_cseq = number

    def refresh_target(self, message: Message) -> None:
        """Take over the Contact of a re-INVITE, an UPDATE, or a 2xx to one (12.2.1.2)."""
        self.target = contact_of(message) or self.target


def contact_of(message: Message) -> str:
    """Return the URI of the Contact, "" if there is none that can be reached."""
    for value in message.headers.values("Contact"):
        try:
            uri = parse_sip_uri(str(Address.parse(value).uri))
            return str(replace(uri, headers=""))  # a request URI has none (19.1.1)
        except SipSyntaxError:
            continue
    return ""


def route_set(message: Message) -> list[str]:
    """Return the Record-Route values. Raise Refusal if one cannot be read or there are too many.

    A URI without brackets, which some proxies write, gets them: its parameters are its own, as they
    would not be in other headers (RFC 3261 20.30).
    """
    values = [v if "<" in v else f"<{v}>" for v in message.headers.values("Record-Route")]
    if len(values) > MAX_ROUTES:
        raise Refusal(400, f"More than {MAX_ROUTES} Record-Route values")
    for value in values:
        try:
            parse_uri(str(Address.parse(value).uri))
        except SipSyntaxError as error:
            raise Refusal(400, f"Record-Route: {error}") from None
    return values


def _is_loose(route: str) -> bool:
    uri = Address.parse(route).uri
    return isinstance(uri, SipUri) and "lr" in uri.params
