"""Facts about who answered a call, on the call's item, written with their events."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.answered import Detection
from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.event import Event
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Contention, Table, update


class DetectionStore:
    """Conditional writes of detections."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, call: Call, after: Detection, events: Iterable[Event]) -> Call | None:
        """Write what is known of an active call with its events; return the call after it,
        None if the call is not active any more, or more was found out since it was read.

        This is no transition, as `CallStore.bind` is none: `move` names the step.
        """
        was = call.detection.step
        try:
            self._table.write(
                update(
                    f"CALL#{call.call_id}",
                    "CALL",
                    "SET #detection = :after, #step = :step",
                    condition="#state = :state AND "
                    + ("#step = :before" if was else "attribute_not_exists(#step)"),
                    names={"#detection": "detection", "#step": "detection_step", "#state": "state"},
                    values={
                        ":after": after.model_dump(mode="json", exclude_none=True),
                        ":step": after.step,
                        ":state": CallState.ACTIVE.value,
                        **({":before": was} if was else {}),
                    },
                ),
                *map(outbox_put, events),
            )
        except (ConditionFailed, Contention):
            return None
        return call.model_copy(update={"detection": after})
