"""Trunks: their life, and what is never told of them."""

from __future__ import annotations

from chalicelib.domain.trunk import (
    TRUNK_ID,
    Trunk,
    TrunkStatus,
    connected,
    new_trunk_id,
    public_view,
    reported,
)
from tests.unit.domain.trunks import NOW, settings, trunk


def test_the_password_is_in_no_form_of_settings_or_trunk():
    wish = settings()
    made = connected(None, "acc_1", wish, None, NOW)
    forms = (repr(wish), str(wish), wish.model_dump_json(), repr(made), made.model_dump_json())
    assert all("s3cret-pw" not in form for form in forms)
    assert "account_id" not in public_view(made)


def test_ids_look_like_ids_and_do_not_repeat():
    ids = {new_trunk_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(TRUNK_ID.fullmatch(each) for each in ids)


def test_settings_anew_are_the_next_revision_of_the_same_trunk():
    first = reported(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW)
    again = connected(first, "acc_1", settings(port=5080), None, NOW + 5)
    assert (again.trunk_id, again.revision, again.port) == (first.trunk_id, 2, 5080)
    assert (again.status, again.sip_code) == (TrunkStatus.REGISTERING, None)
    assert (again.created_at, again.updated_at) == (NOW, NOW + 5)


def test_with_twilio_nothing_registers_and_the_detail_says_where_to_point_the_trunk():
    made = trunk(provider="twilio")
    assert made.status is TrunkStatus.UNREGISTERED
    assert "sip:{number}@x.sip.example" in made.detail


def test_a_failed_trunk_that_is_tried_again_keeps_its_reason():
    failed = reported(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW + 1)
    assert reported(failed, TrunkStatus.REGISTERING, None, "", NOW + 2) == failed
    well = reported(failed, TrunkStatus.REGISTERED, 200, "", NOW + 3)
    assert (well.status, well.status_at, well.sip_code) == (TrunkStatus.REGISTERED, NOW + 3, 200)
    same = reported(well, TrunkStatus.REGISTERED, 200, "", NOW + 9)
    assert same == well


def test_a_trunk_survives_the_table():
    made = trunk(caller_id="+33187654321", allowed_countries=["FR"], realm="asterisk")
    assert Trunk.model_validate(made.model_dump(mode="json")) == made
