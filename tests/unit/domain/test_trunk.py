"""Tests of trunks: revisions, states, and a password that never shows."""

from __future__ import annotations

from chalicelib.domain.trunk import (
    TRUNK_ID,
    Trunk,
    TrunkStatus,
    apply_report,
    apply_settings,
    new_trunk_id,
    public_view,
)
from tests.unit.domain.trunks import NOW, settings, trunk


def test_no_representation_of_settings_or_trunk_holds_the_password():
    trunk_settings = settings()
    made = apply_settings(None, "acc_1", trunk_settings, None, NOW)
    forms = (
        repr(trunk_settings),
        str(trunk_settings),
        trunk_settings.model_dump_json(),
        repr(made),
        made.model_dump_json(),
    )
    assert all("s3cret-pw" not in form for form in forms)
    assert "account_id" not in public_view(made)


def test_trunk_ids_are_well_formed_and_unique():
    ids = {new_trunk_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(TRUNK_ID.fullmatch(each) for each in ids)


def test_new_settings_are_the_next_revision_of_the_same_trunk():
    first = apply_report(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW)
    again = apply_settings(first, "acc_1", settings(port=5080), None, NOW + 5)
    assert (again.trunk_id, again.revision, again.port) == (first.trunk_id, 2, 5080)
    assert (again.status, again.sip_code) == (TrunkStatus.REGISTERING, None)
    assert (again.created_at, again.updated_at) == (NOW, NOW + 5)


def test_a_twilio_trunk_does_not_register_and_its_detail_names_the_sip_uri():
    made = trunk(provider="twilio")
    assert made.status is TrunkStatus.UNREGISTERED
    assert "sip:{number}@x.sip.example" in made.detail


def test_a_failed_trunk_that_is_tried_again_keeps_its_reason():
    failed = apply_report(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW + 1)
    assert apply_report(failed, TrunkStatus.REGISTERING, None, "", NOW + 2) == failed
    well = apply_report(failed, TrunkStatus.REGISTERED, 200, "", NOW + 3)
    assert (well.status, well.status_at, well.sip_code) == (TrunkStatus.REGISTERED, NOW + 3, 200)
    same = apply_report(well, TrunkStatus.REGISTERED, 200, "", NOW + 9)
    assert same == well


def test_a_trunk_survives_a_round_trip_through_the_table():
    made = trunk(caller_id="+33187654321", allowed_countries=["FR"], realm="asterisk")
    assert Trunk.model_validate(made.model_dump(mode="json")) == made
