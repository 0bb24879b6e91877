"""Tests of the event about a called number that is not added."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.foreign_text import MAX_SHOWN
from chalicelib.domain.rejected_calls import not_added_event
from tests.unit.domain.trunks import NOW, trunk


def test_the_event_tells_how_to_add_the_number():
    event = not_added_event(trunk(), "sip:0033187654321@pbx", "+15550001111", NOW)
    assert "add +33187654321 to its numbers" in event.data["detail"]
    unclear = not_added_event(trunk(), "0187654321", "anonymous", NOW)
    assert "E.164" in unclear.data["detail"]


@given(st.text(), st.text())
def test_the_event_cuts_text_written_by_strangers(to, from_):
    data = not_added_event(trunk(), to, from_, NOW).data
    assert max(len(data["to"]), len(data["from"])) <= MAX_SHOWN
    assert data["to"].isprintable()
    assert data["from"].isprintable()
    assert len(json.dumps(data)) < 2000
