"""Dialling of an agent's URL: to public addresses only, within seconds, without redirects.

A stranger wrote the URL, and its name may resolve to another address the next time: so it is
resolved once, each address is checked, and a checked address is connected to. The handshake still
carries the name (`Host`), and the certificate must be for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from textwrap import shorten
from urllib.parse import urlsplit

from picows import WSInvalidStatusError

from common.addresses import forbidden
from relay.core.bridge import Bridge
from relay.core.interfaces import AgentAddress
from relay.network.calls import Calls, DialError
from relay.network.dialled_leg import DialledAgent, dialled_leg
from relay.network.leg import MAX_MESSAGE
from runtime.websocket import connect

WITHIN_S = 5.0
"""For name, TCP, TLS and handshake together."""
WITHIN_IF_OTHERS_S = 1.5
"""The same if there is another address to try: a host that is gone does not answer at all."""
_PING_S = 20.0
_PING_TRUSTED_S = 4.0
"""The same for the operator's own hosts, which are to be missed soon: a dead one closes nothing."""
_MAX_ADDRESSES = 4
_PER_ADDRESS_S = 2.0
"""For each address but the last one."""
_RESOLVERS = 8

_MAX_CAUSE = 120
"""Characters of a cause in OpenSSL's words, which may repeat a long host name: with its remedy it
has to fit into a report (docs/contracts.md)."""

_REMEDIES = {
    "timeout": "Check that it runs, and that no firewall is in between.",
    "tls": "Its certificate has to be valid for this host; without TLS the URL begins with ws://.",
    "refused": "Check that it runs and listens on this port.",
    "connection": "Check host and port, and that it is connected to the Internet.",
    "status": "Check the path, and look at its log: it has to accept the WebSocket.",
    "handshake": "Check host, port and path: a WebSocket server has to be there.",
}
"""Remedies for each failure, by its code."""

Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> addresses of the host. Blocks. OSError if it has none."""


class Dialler:
    """Opens connections to agents; with `allow_private` to private addresses, too."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve or _system_resolve
        self._trust = trust or ssl.create_default_context()
        # Not the loop's own threads: slow names of strangers must not keep others from resolving.
        self._threads = ThreadPoolExecutor(_RESOLVERS, "agent-names")

    async def dial(self, calls: Calls, call_id: str, bridge: Bridge, agent: AgentAddress) -> None:
        """Connect to the call's agent, which then joins the bridge. DialError."""
        try:
            leg = dialled_leg(calls, call_id, bridge, agent)
        except ValueError as error:
            raise DialError("format", f"{error}. Correct it.", final=True) from None
        within = WITHIN_IF_OTHERS_S if agent.others else WITHIN_S
        try:
            async with asyncio.timeout(within):
                await self._open(agent, leg)
        except BaseException as error:
            leg.give_up()
            if isinstance(error, Exception):
                raise _dial_error(error, within) from None
            raise

    async def _open(self, agent: AgentAddress, leg: DialledAgent) -> None:
        parts = urlsplit(agent.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        allow_private = self._allow_private or agent.trusted
        addresses = await self._addresses(host, port, allow_private=allow_private)
        connection = await _connect(addresses, port)
        ping_s = _PING_TRUSTED_S if agent.trusted else _PING_S
        # Without a user name and password, which the URL may have.
        name = parts.netloc.rpartition("@")[2]
        await connect(
            lambda: leg,
            agent.url,
            ssl_context=self._trust,
            socket_factory=lambda _: connection,
            extra_headers={**agent.headers, "Host": name},
            websocket_handshake_timeout=WITHIN_S,
            max_redirects=0,
            enable_auto_ping=True,
            enable_auto_pong=False,
            auto_ping_idle_timeout=ping_s,
            auto_ping_reply_timeout=ping_s,
            max_frame_size=MAX_MESSAGE,
        )

    async def _addresses(self, host: str, port: int, *, allow_private: bool) -> list[str]:
        try:
            found = [str(ipaddress.ip_address(host))]
        except ValueError:
            loop = asyncio.get_running_loop()
            try:
                found = list(await loop.run_in_executor(self._threads, self._resolve, host, port))
            except (OSError, UnicodeError):
                found = []
        if not found:
            raise DialError(
                "name",
                "its host name has no address. Check the spelling, and that its DNS record exists.",
            )
        if not allow_private and any(forbidden(address) for address in found):
            raise DialError(
                "private",
                "its address is not on the public Internet. Give it a public one.",
                final=True,
            )
        return found[:_MAX_ADDRESSES]


async def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to the first address that accepts. OSError of the last one."""
    *others, last = addresses
    for address in others:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PER_ADDRESS_S):
                return await _connect_to(address, port)
    return await _connect_to(last, port)


async def _connect_to(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _system_resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _dial_error(error: Exception, within: float = WITHIN_S) -> DialError:
    """Return the reason, with what to do about it, for the owner of the call. Of what a stranger's
    server answers it repeats the status alone.
    """
    match error:
        case DialError():
            return error
        case TimeoutError():
            code, cause = "timeout", f"it did not answer within {within:g} s"
        case ssl.SSLError():
            # Some of OpenSSL's messages end with a full stop, others do not.
            what = getattr(error, "verify_message", "").rstrip(".") or _words(error.reason)
            code, cause = "tls", f"TLS failed ({shorten(what, _MAX_CAUSE, placeholder='…')})"
        case ConnectionRefusedError():
            code, cause = "refused", "the connection was refused"
        case OSError():
            code, cause = "connection", f"no connection ({error.strerror or 'it broke'})"
        case WSInvalidStatusError() if error.response is not None:
            code, cause = "status", f"it answered with HTTP {int(error.response.status)}"
        case _:
            # Without the exception's text, which may hold the URL.
            code, cause = "handshake", "it did not open a WebSocket"
    return DialError(code, f"{cause}. {_REMEDIES[code]}")


def _words(reason: str | None) -> str:
    """Return OpenSSL's name of a failure, such as WRONG_VERSION_NUMBER, in small letters."""
    return (reason or "handshake failed").replace("_", " ").lower()
