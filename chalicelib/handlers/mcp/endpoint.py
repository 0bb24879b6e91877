"""`POST /mcp`: who asks, and whether that may be; then it is the SDK's."""

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
    """One JSON-RPC message of an MCP client. The key is checked before anything is loaded."""
    request = routes.current_request
    ports = bootstrap.ports()
    account_id = account(ports, request)
    body = raw_body(request)
    # The SDK takes a second to import: never with the application, nor for who has no key.
    from chalicelib.handlers.mcp.exchange import exchange
    from chalicelib.handlers.mcp.server import server

    hosts, origins = ours(request)
    answered = exchange(server(ports, account_id), request.headers, body, hosts, origins)
    content_type = answered.headers.get("content-type", "")
    if answered.status >= 400 and not content_type.startswith("application/json"):
        raise _refused(answered.status, answered.body.decode())
    sent: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if content_type:
        sent["Content-Type"] = content_type
    return Response(answered.body.decode(), sent, answered.status)


@routes.route("/mcp", methods=["GET", "DELETE"])
def no_stream() -> Response:
    """There are no sessions to be ended, and no stream of what the server says unasked."""
    problem = known("method_not_allowed", "Send each JSON-RPC message in a POST.")
    problem.headers["Allow"] = "POST"
    return problem.response()


def _refused(status: int, why: str) -> Problem:
    code = {403: "foreign_origin", 421: "foreign_host"}.get(status)
    return known(code) if code else Problem(status, "bad_request", "Bad request", why)
