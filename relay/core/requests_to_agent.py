"""Requests that the application sends to a call's agent, through the door, and the agent's replies.

Each is answered once: by the agent's reply, or by an error if the agent's connection is lost, the
call ends or the asker gives up. A request that comes while the agent is being dialled waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from relay.core.interfaces import Dialect
from relay.protocol.agent import Reply

MAX_REQUESTS = 32
"""Requests of one call that have no reply yet."""

OnReply = Callable[[Reply], None]


class RefusedRequestError(Exception):
    """A request cannot be sent. `code` is stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(slots=True)
class _Request:
    method: str
    params: msgspec.Raw
    on_reply: OnReply
    sent: bool = False


class RequestsToAgent:
    """The requests of one call that have no reply yet. `send(text)` sends to its agent."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._dialect: Dialect | None = None
        self._open: dict[str, _Request] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, id_: str, method: str, params: msgspec.Raw, on_reply: OnReply) -> None:
        """Send a request, or keep it until the agent is there. `on_reply` is called once.
        RefusedRequestError: `too_many`, `no_requests`, `request_exists`.
        """
        if id_ in self._open:
            raise RefusedRequestError("request_exists", "a request with this id is under way")
        if len(self._open) >= MAX_REQUESTS:
            why = f"{MAX_REQUESTS} requests of this call have no reply yet"
            raise RefusedRequestError("too_many", why)
        request = _Request(method, params, on_reply)
        if self._dialect is not None and not self._sent(id_, request, self._dialect):
            raise RefusedRequestError("no_requests", _TAKES_NONE)
        self._open[id_] = request

    def begin(self, dialect: Dialect) -> None:
        """Send what was kept: the agent's connection has had its `start`."""
        self._dialect = dialect
        for id_, request in list(self._open.items()):
            if not request.sent and not self._sent(id_, request, dialect):
                self._finish(Reply.refused(id_, "no_requests", _TAKES_NONE))

    def take(self, reply: Reply) -> None:
        """Pass on the agent's reply. One that nobody waits for any more is ignored."""
        if not reply.ok and not isinstance((reply.error or {}).get("code"), str):
            reply = Reply.refused(reply.id, "bad_reply", "the agent's error has no code")
        self._finish(reply)

    def lose_agent(self) -> None:
        """Answer what the agent was sent: its connection is gone. What was kept goes on waiting."""
        self._dialect = None
        for id_ in [id_ for id_, request in self._open.items() if request.sent]:
            self._finish(Reply.refused(id_, "agent_lost", "the agent's connection was lost"))

    def end(self, code: str, detail: str) -> None:
        """Answer all requests with this error."""
        for id_ in list(self._open):
            self._finish(Reply.refused(id_, code, detail))

    def give_up(self, id_: str) -> bool:
        """Forget a request: nobody waits for its reply. Return whether the agent was sent it."""
        request = self._open.pop(id_, None)
        return request is not None and request.sent

    def _sent(self, id_: str, request: _Request, dialect: Dialect) -> bool:
        text = dialect.request(id_, request.method, request.params)
        if text is None:
            return False
        request.sent = True
        self._send(text)
        return True

    def _finish(self, reply: Reply) -> None:
        request = self._open.pop(reply.id, None)
        if request is not None:
            request.on_reply(reply)


_TAKES_NONE = "the call's agent takes no requests"
