"""`/api/service`: the offer of this installation, for people without an account."""

from __future__ import annotations

from chalicelib.domain.version import VERSION
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, NoBody, NoQuery, Operations, Request
from chalicelib.services import service

operations = Operations("service")


@operations.get("/api/service", answer=views.Service, open=True)
def get_service(request: Request[NoBody, NoQuery]) -> Answer:
    """Describe this installation: sign-up, countries, providers, test calls. Needs no key."""
    offered = service.describe_offer(request.deps)
    return {
        "sign_up": "open" if offered.sign_up else "closed",
        "countries": offered.countries,
        "trunk_providers": offered.trunk_providers,
        "test_calls": offered.test_calls,
        "version": VERSION,
    }
