"""Clauses about how calls ended, for the messages of errors."""

from __future__ import annotations

WHY = {
    "ring_timeout": "nobody accepted it in time",
    "caller_hangup": "the caller hung up",
    "agent_hangup": "your side hung up",
    "callee_hangup": "the called party hung up",
    "declined": "it was declined",
    "busy": "the called number was busy",
    "no_answer": "the called party did not answer",
    "rejected": "the called network refused it",
    "agent_lost": "the agent's connection broke and did not come back in time",
    "no_agent": "no agent connected in time",
    "media_failed": "the caller's audio broke off",
    "max_duration": "it reached its longest duration",
    "provider_error": "the telephone provider could not put it through, or lost it",
    "peer_ended": "the other party of its transfer hung up",
    "transferred": "it was transferred, and goes on without this service",
}
"""Clauses by `end_reason`."""


def why_over(reason: str | None) -> str:
    """Return the message about a call that is over; a reason that is newer than this client is told
    as it is.
    """
    return f"the call is over: {WHY.get(reason, reason)}" if reason else "the call is over"
