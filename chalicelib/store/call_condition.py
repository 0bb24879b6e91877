"""The condition under which a transition of a call is written: the call is still as it was read."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.instant import to_text


def unchanged(before: Call, after: Call, now: int) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return condition, names and values.

    It names the version (which implies the state), the state (for whoever reads a trace), what
    comes without a transition (the provider's id, the far end's hold, the trunk if there are
    several, the details about an agent that we dial and about a hosted voice, the numbers of its
    line and its recordings, what was found out of its answer) and, for the answer of an inbound
    call, the deadline on the item itself.
    """
    parts = ["#version = :version", "#state = :state"]
    names = {"#version": "version", "#state": "state", "#id": "provider_call_id"}
    values: dict[str, Any] = {":version": before.version, ":state": before.state.value}
    _same(parts, values, "id", before.provider_call_id)
    names["#hold"] = "far_end_hold_sequence"
    _same(parts, values, "hold", before.far_end_hold_sequence)
    if before.routes:
        names["#trunk"] = "trunk_id"
        _same(parts, values, "trunk", before.trunk_id)
    if before.agent_url is not None or before.voice == "hosted":
        names["#detail"] = "agent_detail"
        _same(parts, values, "detail", before.agent_detail)
    if before.auto_answer and before.voice == "hosted":
        names["#voice_detail"] = "voice_detail"
        _same(parts, values, "voice_detail", before.voice_detail)
    if before.state is CallState.ACTIVE:
        names["#line_number"] = "line_number"
        _same(parts, values, "line_number", before.media_line.number or None)
        names["#recording_number"] = "recording_number"
        _same(parts, values, "recording_number", before.recordings.number or None)
        if not before.detection.over:
            names["#detection_step"] = "detection_step"
            _same(parts, values, "detection_step", before.detection.step or None)
    elif after.state is CallState.ACTIVE and before.direction == "inbound":
        names["#deadline"] = "ring_deadline"
        parts.append("#deadline > :now")
        values[":now"] = to_text(now)
    return " AND ".join(parts), names, values


def _same(parts: list[str], values: dict[str, Any], name: str, value: str | int | None) -> None:
    if value is None:
        parts.append(f"attribute_not_exists(#{name})")
    else:
        parts.append(f"#{name} = :{name}")
        values[f":{name}"] = value
