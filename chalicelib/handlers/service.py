"""`/api/service`: what this installation offers, for those who have no account yet."""

from __future__ import annotations

from chalicelib.domain.version import VERSION
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, NoBody, NoQuery, Operations
from chalicelib.services import service

operations = Operations("service")


@operations.get("/api/service", answer=views.Service, open=True)
def get_service(asked: Asked[NoBody, NoQuery]) -> Answer:
    """What there is here: sign-up, countries, providers, test calls. Needs no key."""
    offered = service.offered(asked.ports)
    return {
        "sign_up": "open" if offered.sign_up else "closed",
        "countries": offered.countries,
        "trunk_providers": offered.trunk_providers,
        "test_calls": offered.test_calls,
        "version": VERSION,
    }
