"""Runs `python -m infra`, once a session and only if a test needs its output.

The templates are read as they are, in the environment of all other tests: the CDK's own assertions
live in its environment, where the engine that some of these tests need does not.
"""

from __future__ import annotations

import pytest

from tests.infra.templates import Installation, synthesised


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Installation:
    """As infra/cdk.json in the repository has it."""
    return synthesised(tmp_path_factory.mktemp("synth"))


@pytest.fixture(scope="session")
def with_options(tmp_path_factory) -> Installation:
    """Another, in which every option is taken: Twilio and no SIP, a zone, an account."""
    return synthesised(
        tmp_path_factory.mktemp("options"),
        stage="test",
        account="123456789012",
        region="eu-west-3",
        domain="phone.example.net",
        hosted_zone_id="Z0123456789",
        alarm_email="ops@example.net",
        monthly_budget_usd=500,
        sign_up="open",
        twilio_account_sid="AC" + "0" * 32,
        twilio_sip_domain="x.sip.twilio.com",
        sip_hosts=["sip.phone.example.com", "192.0.2.1"],
        sip=False,
        hosted_voice=True,
        sizes={"reserved_concurrency": {"expire_ring": 20}, "relay_tasks_min": 3},
    )
