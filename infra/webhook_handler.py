"""A second function from the application's package, for requests that prove themselves by a
signature: providers' webhooks, control requests of relays and of the gateway, reports of voice
hosts.

Requests and long polls of agents and strangers take executions of the API's function only, so they
cannot delay a ringing call, which this function answers. Chalice supports one function for all
routes, so its template is changed before it is included.
"""

from __future__ import annotations

import copy
from typing import Any

API_FUNCTION, WEBHOOK_FUNCTION = "APIHandler", "WebhookHandler"
"""Logical ids in the template. Chalice chose the first one."""

SIGNED_PATHS = ("/webhooks/", "/media/", "/gateway/", "/voice/")
"""Prefixes of this function's paths; infra/firewall_rules.py has limits for the same paths."""

_INTEGRATION = "x-amazon-apigateway-integration"


def split(template: dict[str, Any]) -> None:
    """Add the function and its permission, and let the signed paths invoke it."""
    resources = template["Resources"]
    for id_ in (API_FUNCTION, f"{API_FUNCTION}InvokePermission"):
        resources[id_.replace(API_FUNCTION, WEBHOOK_FUNCTION)] = _other(resources[id_])
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    signed = [methods for path, methods in paths.items() if path.startswith(SIGNED_PATHS)]
    if not signed:
        raise ValueError(f"no route begins with any of {SIGNED_PATHS}")
    for methods in signed:
        for method in methods.values():
            if _INTEGRATION in method:
                method[_INTEGRATION] = _other(method[_INTEGRATION])


def _other(part: Any) -> Any:
    """Return a copy of part of the template that names the webhooks' function, not the API's."""
    match part:
        case dict():
            return {name: _other(value) for name, value in part.items()}
        case list():
            return [_other(value) for value in part]
        case str():
            return part.replace(API_FUNCTION, WEBHOOK_FUNCTION)
        case _:
            return copy.copy(part)
