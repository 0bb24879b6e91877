"""`POST /mcp`: check the key and the origin of a request, then hand it to the SDK."""

from __future__ import annotations

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.browser import ours
from chalicelib.http import raw_body
from chalicelib.problems import Problem, known

routes = Blueprint(__name__)


@routes.route("/mcp", methods=["POST"])
def mcp() -> Response:
    """Handle one JSON-RPC message of an MCP client. The key is checked before the SDK is loaded."""
    request = routes.current_request
    deps = bootstrap.dependencies()
    account_id = account(deps, request)
    body = raw_body(request)
    # The import of the SDK takes a second, so it happens only for a request with a valid key.
    from chalicelib.handlers.mcp.exchange import exchange
    from chalicelib.handlers.mcp.server import server

    hosts, origins = ours(request)
    answer = exchange(server(deps, account_id), request.headers, body, hosts, origins)
    content_type = answer.headers.get("content-type", "")
    if answer.status >= 400 and not content_type.startswith("application/json"):
        raise _refused(answer.status, answer.body.decode())
    sent: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if content_type:
        sent["Content-Type"] = content_type
    return Response(answer.body.decode(), sent, answer.status)


@routes.route("/mcp", methods=["GET", "DELETE"])
def no_stream() -> Response:
    """Refuse GET and DELETE: there are no sessions to end, and the server sends nothing unasked."""
    problem = known("method_not_allowed", "Send each JSON-RPC message in a POST.")
    problem.headers["Allow"] = "POST"
    return problem.response()


def _refused(status: int, why: str) -> Problem:
    code = {403: "foreign_origin", 421: "foreign_host"}.get(status)
    return known(code) if code else Problem(status, "bad_request", "Bad request", why)
