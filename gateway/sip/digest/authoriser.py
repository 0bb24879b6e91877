"""Puts the credentials of an account into requests that are challenged."""

from __future__ import annotations

from gateway.sip.digest.client import DigestClient, NoUsableChallenge, Refused
from gateway.sip.exchange import NotAuthorised
from gateway.sip.syntax.message import Request, Response
from gateway.sip.words import RandomBytes

_HEADERS = (
    ("WWW-Authenticate", "Authorization", False),
    ("Proxy-Authenticate", "Proxy-Authorization", True),
)


class DigestAuthoriser:
    """Implements `exchange.Authoriser` for one username and password."""

    def __init__(self, username: str, password: str, random_bytes: RandomBytes) -> None:
        self._client = DigestClient(username, password, random_bytes)

    def answer(self, request: Request, response: Response) -> None:
        """Put credentials for a 401 or 407 into the request. Raises NotAuthorised."""
        asked = False
        try:
            for challenge, credentials, proxy in _HEADERS:
                values = response.headers.all(challenge)
                if values:
                    asked = True
                    sent = request.headers.all(credentials)
                    self._client.challenged(values, proxy=proxy, sent=sent)
        except (NoUsableChallenge, Refused) as error:
            raise NotAuthorised(str(error)) from None
        if not asked:
            raise NotAuthorised(f"a {response.status} came without a challenge")
        self.anticipate(request)

    def anticipate(self, request: Request) -> None:
        """Put credentials for all realms that are known into the request."""
        for _, credentials, _ in _HEADERS:
            request.headers.remove(credentials)
        for name, value in self._client.authorise(request.method, request.uri, request.body):
            request.headers.add(name, value)

    def learn(self, response: Response) -> None:
        """Take the next nonce that a success may carry."""
        for name, proxy in (("Authentication-Info", False), ("Proxy-Authentication-Info", True)):
            if value := response.headers.get(name):
                self._client.informed(value, proxy=proxy)
