"""Fixtures of the tests about trunks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.support.world import RecordingProvider, World, with_settings

_serials = itertools.count(1)


@pytest.fixture
def e164():
    """A number that no other test has used."""
    return f"+4420{next(_serials):08d}"


@pytest.fixture
def both(table):
    """An application with Twilio and the gateway."""
    world = World(table)
    providers = {"gateway": world.provider, "twilio": RecordingProvider("twilio")}
    world.deps = with_settings(
        replace(world.deps, providers=providers), twilio_sip_domain="x.sip.twilio.com"
    )
    return world
