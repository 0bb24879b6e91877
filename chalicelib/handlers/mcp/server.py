"""The tools as the official SDK serves them. This imports the SDK, which takes a second, so this
module is imported only with the first MCP request.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from chalicelib.domain.version import VERSION
from chalicelib.handlers.mcp.perform import perform
from chalicelib.handlers.mcp.schemas import input_schema, output_schema
from chalicelib.handlers.mcp.tool import Tool
from chalicelib.handlers.mcp.tools import INSTRUCTIONS, TOOLS
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

NAME = "chamade"

LISTED_FOR_MS = 300_000
"""Time for which clients may keep the list of tools. It is the same for all, and changes only with
a deployment."""

_Context = ServerRequestContext[Any, Any]


def server(deps: Dependencies, account_id: str) -> Server[Any]:
    """Make a server for one request of one account: nothing of an account outlives its request."""

    async def list_tools(
        _context: _Context, _page: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed())

    async def call_tool(
        _context: _Context, request: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(request.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {request.name[:64]}")
        # It blocks the event loop, which runs only this request.
        outcome = perform(tool, request.arguments or {}, deps, account_id)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=outcome.text)],
            structured_content=outcome.content,
            is_error=outcome.failed,
        )

    made = Server(
        NAME,
        version=VERSION,
        title="Chamade SIP",
        description="A phone line for AI agents",
        instructions=INSTRUCTIONS,
        cache_hints={
            "tools/list": CacheHint(LISTED_FOR_MS, "public"),
            "server/discover": CacheHint(LISTED_FOR_MS, "public"),
        },
        # No argument is repeated in a header.
        get_tool_input_schema=lambda name: None,  # noqa: ARG005
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    made.middleware.append(_keep_to_ourselves)
    return made


async def _keep_to_ourselves(ctx: _Context, call_next: CallNext) -> HandlerResult:
    """Replace an unforeseen exception by a plain error: the SDK would send its text to clients of
    the earlier protocol.
    """
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise
    except Exception:
        log.exception("unforeseen error", extra={"method": ctx.method})
        raise MCPError(types.INTERNAL_ERROR, "Something went wrong here") from None


@functools.cache
def listed() -> list[types.Tool]:
    """Return the tools as a client sees them."""
    return [_listed(tool) for tool in TOOLS.values()]


def _listed(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=input_schema(tool),
        output_schema=output_schema(tool),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )
