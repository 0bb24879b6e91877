"""Tells the edge from which networks trunks take calls, so that it lets these calls in.

The edge keeps what it is told for a while only. So the networks are told again and again: the edge
may have been started anew, or a message may be lost. Networks of trunks that are gone are not taken
back. The edge forgets them soon, and until then their calls are refused here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable
from ipaddress import IPv4Network
from itertools import islice

from gateway.legs.sip.stack import SipStack
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.client import ClientTransaction
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import Failure
from gateway.sip.words import Words
from gateway.trunks.networks import KEPT_BY_EDGE_S, TOLD_AT_ONCE, Networks

TELL_EVERY = 30.0
"""Seconds after which all networks are told again."""
TELL_AGAIN_AFTER = 5.0
"""Seconds after which they are told again if the edge has not answered."""
_ANSWER_WITHIN = 4.0
_WORDS = Words(secrets.token_bytes)

log = logging.getLogger(__name__)


class EdgeNetworks:
    """Tells one edge the networks of this process's trunks: new ones at once, and all regularly."""

    def __init__(self, stack: SipStack, edge: str, networks: Networks) -> None:
        """`edge` is host:port of the edge."""
        host, _, port = edge.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._uri = f"sip:networks@{edge}"
        self._stack = stack
        self._networks = networks
        self._new: set[IPv4Network] = set()
        self._news = asyncio.Event()
        self._silent = False

    def add(self, networks: Iterable[object]) -> None:
        """Tell networks at once. Those of IPv6 are passed over: the edge has no IPv6."""
        self._new.update(each for each in networks if isinstance(each, IPv4Network))
        if self._new:
            self._news.set()

    async def run(self) -> None:
        """Tell all networks every 30 s, and new ones in between, until cancelled."""
        flow = await self._stack.connect("udp", self._address, "")
        while True:
            self._take_new()
            told = await self._tell(flow, self._networks.all_ipv4())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY if told else TELL_AGAIN_AFTER):
                    await self._tell_new(flow)

    async def _tell_new(self, flow: Flow) -> None:
        """Tell new networks as they come, until the edge does not answer."""
        told = True
        while told:
            await self._news.wait()
            told = await self._tell(flow, self._take_new())
        await asyncio.sleep(TELL_AGAIN_AFTER)

    def _take_new(self) -> list[IPv4Network]:
        new, self._new = list(self._new), set()
        self._news.clear()
        return new

    async def _tell(self, flow: Flow, networks: Iterable[IPv4Network]) -> bool:
        """Tell networks, one message after the other. Return whether all were answered."""
        left = iter(networks)
        while next_ones := list(islice(left, TOLD_AT_ONCE)):
            outcome = _Outcome()
            request = self._request(next_ones, flow)
            self._stack.agent.send(request, flow, outcome, self._stack.now)
            self._stack.flush()
            answered = await outcome.is_accepted()
            self._note(answered)
            if not answered:
                return False
        return True

    def _request(self, networks: list[IPv4Network], flow: Flow) -> Request:
        request = Request("OPTIONS", self._uri)
        for name, value in (
            ("Max-Forwards", "1"),
            ("From", f"<{self._uri}>;tag={_WORDS.tag()}"),
            ("To", f"<{self._uri}>"),
            ("Call-ID", _WORDS.call_id(flow.local[0])),
            ("CSeq", "1 OPTIONS"),
            ("Expires", str(KEPT_BY_EDGE_S)),
            ("X-Chamade-Networks", ";".join(map(str, networks))),
        ):
            request.headers.add(name, value)
        return request

    def _note(self, answered: bool) -> None:
        """Log an outage of the edge once, and its end."""
        if answered and self._silent:
            log.info("the edge takes the trunks' networks again")
        elif not answered and not self._silent:
            log.warning("the edge does not take the trunks' networks: calls from them are refused")
        self._silent = not answered


class _Outcome:
    """The outcome of one message. Implements `ClientUser`."""

    def __init__(self) -> None:
        self._accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def is_accepted(self) -> bool:
        """Wait for the final answer, but not long; return whether it is a success."""
        try:
            return await asyncio.wait_for(self._accepted, _ANSWER_WITHIN)
        except TimeoutError:
            return False

    def on_response(
        self,
        transaction: ClientTransaction,  # noqa: ARG002
        response: Response,
        now: float,  # noqa: ARG002
    ) -> None:
        """Note the final answer."""
        if response.status >= 200:
            self._settle(accepted=response.status < 300)

    def on_failure(
        self,
        transaction: ClientTransaction,  # noqa: ARG002
        failure: Failure,  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> None:
        """Note that there is no answer."""
        self._settle(accepted=False)

    def _settle(self, *, accepted: bool) -> None:
        if not self._accepted.done():
            self._accepted.set_result(accepted)
