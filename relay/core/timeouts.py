"""Time-outs of a call's legs."""

from __future__ import annotations

from dataclasses import dataclass

WATCH_WITH_DOOR_S = 60.0
"""`Timeouts.watch` of a relay with a door, through which the application says what has changed. Up
to half as much is added at random. Not longer, because agents refuse a signature of five minutes
ago, and each answer brings a new one."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until something that is missing is reported or given up."""

    agent_back: float = 10.0
    """From the loss of the agent's socket to `agent_lost`."""
    agent_first: float = 30.0
    """From the start of a stream, if no agent has ever come, to `no_agent`."""
    provider_back: float = 10.0
    """From the loss of the provider's stream to `media_lost`."""
    provider_start: float = 5.0
    """From the opening of a provider's socket to its `start`."""
    unreachable: float = 60.0
    """From the first missing answer of the application, while no stream is up, until the call is
    closed here."""
    watch: float = 10.0
    """Between two status reports while a stream is up; up to half as much is added at random."""
