"""What the event about a number that is not added says."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.foreign_text import MAX_SHOWN
from chalicelib.domain.not_added import not_added_event
from tests.unit.domain.trunks import NOW, trunk


def test_an_event_about_a_number_not_added_says_how_to_add_it():
    event = not_added_event(trunk(), "sip:0033187654321@pbx", "+15550001111", NOW)
    assert 'POST /api/trunk/dids {"e164": "+33187654321"}' in event.data["detail"]
    unclear = not_added_event(trunk(), "0187654321", "anonymous", NOW)
    assert "E.164" in unclear.data["detail"]


@given(st.text(), st.text())
def test_an_event_repeats_little_of_a_strangers_text(to, from_):
    data = not_added_event(trunk(), to, from_, NOW).data
    assert max(len(data["to"]), len(data["from"])) <= MAX_SHOWN
    assert data["to"].isprintable()
    assert data["from"].isprintable()
    assert len(json.dumps(data)) < 2000
