"""A user agent that is a registrar as well: it challenges, and keeps who has registered."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable

from gateway.sip.agent import UserAgent
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.message import Request, respond
from gateway.sip.syntax.uri import parse_sip_uri
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.server import ServerTransaction
from tests.load.trunk_list import PASSWORD

_PARAMETER = re.compile(r'(\w+)="?([^",]+)"?')


class RegistrarAgent(UserAgent):
    """Accepts every user who knows the password, by any flow."""

    def __init__(self, on_change: Callable[[], None] = lambda: None, *, max_calls: int = 2000):
        super().__init__(max_calls=max_calls)
        self.bindings: dict[str, tuple[str, Flow]] = {}
        """By user: the Contact, and the way by which it came."""
        self.came_at: list[float] = []
        """When each REGISTER came (monotonic s)."""
        self._on_change = on_change
        self._nonce = secrets.token_hex(8)

    def forget_all(self) -> None:
        """Forget all bindings and nonces, as a restart does."""
        self.bindings.clear()
        self._nonce = secrets.token_hex(8)

    def _outside(self, transaction: ServerTransaction, now: float) -> None:
        if transaction.request.method == "REGISTER":
            self._register(transaction, now)
        else:
            super()._outside(transaction, now)

    def _register(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        self.came_at.append(time.monotonic())
        if not self._proven(request):
            challenge = f'Digest realm="carrier", nonce="{self._nonce}", qop="auth", algorithm=MD5'
            answer = respond(request, 401, tag="reg", headers={"WWW-Authenticate": challenge})
            transaction.respond(answer, now)
            return
        user = parse_sip_uri(str(request.to.uri)).user
        contact = Address.parse(request.headers.get("Contact"))
        expires = request.headers.get("Expires") or "60"
        if expires == "0":
            self.bindings.pop(user, None)
        else:
            self.bindings[user] = (str(contact.uri), transaction.flow)
        headers = {"Contact": f"<{contact.uri}>;expires={expires}"}
        transaction.respond(respond(request, 200, tag="reg", headers=headers), now)
        self._on_change()

    def _proven(self, request: Request) -> bool:
        given = dict(_PARAMETER.findall(request.headers.get("Authorization")))
        if given.get("nonce") != self._nonce:
            return False
        secret = _md5(f"{given.get('username')}:carrier:{PASSWORD}")
        signed = _md5(f"REGISTER:{given.get('uri')}")
        parts = (secret, self._nonce, given.get("nc"), given.get("cnonce"), "auth", signed)
        return given.get("response") == _md5(":".join(map(str, parts)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
