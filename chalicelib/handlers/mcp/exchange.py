"""Pass one POST through the SDK's HTTP transport, without keeping anything.

The SDK expects an ASGI server with streams; Lambda has neither. So each request gets an event loop
and a session manager of its own, in stateless mode with JSON answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from chalicelib.http import MAX_BODY

# At INFO it logs a line for each request, which nobody needs.
logging.getLogger("mcp").setLevel(logging.WARNING)


@dataclass
class HttpAnswer:
    """The answer to an exchange; header names in lower case."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def exchange(
    server: Server[Any],
    headers: Mapping[str, str],
    body: bytes,
    hosts: list[str],
    origins: list[str],
) -> HttpAnswer:
    """Hand a POST to the server. `hosts` and `origins` are those that may be named in Host and
    Origin; others are refused, so that no page in a browser gets here by DNS rebinding.
    """
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
    return asyncio.run(_exchange(server, security, headers, body))


async def _exchange(
    server: Server[Any],
    security: TransportSecuritySettings,
    headers: Mapping[str, str],
    body: bytes,
) -> HttpAnswer:
    manager = StreamableHTTPSessionManager(
        server,
        json_response=True,
        stateless=True,
        security_settings=security,
        max_request_body_size=MAX_BODY,
    )
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    answer = HttpAnswer()

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the client never disconnects before its answer
        return waiting.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message["headers"]
            }
        else:
            answer.body += message.get("body", b"")

    async with manager.run():
        await manager.handle_request(_scope(headers), receive, send)
    return answer


def _scope(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "root_path": "",
        "query_string": b"",
        # Spaces around a value are no part of it (RFC 9110, 5.5).
        "headers": [
            (name.lower().encode("latin-1"), value.strip(" \t").encode("latin-1", "replace"))
            for name, value in headers.items()
        ],
        "server": None,
        "client": None,
    }
