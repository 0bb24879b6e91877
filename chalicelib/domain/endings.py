"""Sentences about how calls ended, for people: what is said when it is too late for an act."""

from __future__ import annotations

from chalicelib.domain.call_transitions import Direction, EndReason

_R = EndReason

WHY: dict[EndReason, str] = {
    _R.RING_TIMEOUT: "nobody accepted it in time",
    _R.CALLER_HANGUP: "the caller hung up",
    _R.AGENT_HANGUP: "your side hung up",
    _R.CALLEE_HANGUP: "the called party hung up",
    _R.DECLINED: "your side declined it",
    _R.BUSY: "the called number was busy",
    _R.NO_ANSWER: "the called party did not answer",
    _R.REJECTED: "the called network refused it",
    _R.AGENT_LOST: "the agent's connection broke and did not come back in time",
    _R.NO_AGENT: "no agent connected in time",
    _R.MEDIA_FAILED: "the caller's audio broke off",
    _R.MAX_DURATION: "it reached its longest duration",
    _R.PROVIDER_ERROR: "the telephone provider could not put it through, or lost it",
    _R.PEER_ENDED: "the other party of its transfer hung up",
    _R.TRANSFERRED: "it was transferred, and goes on without this service",
}
"""Clauses by the reason of the end: "The call is over: nobody accepted it in time." """


def why_over(reason: EndReason | None, direction: Direction) -> str:
    """Return the sentence about a call that is over."""
    if reason is None:
        return "The call is over."
    if reason is EndReason.DECLINED and direction == "outbound":
        return "The call is over: the called party declined it."
    return f"The call is over: {WHY[reason]}."
