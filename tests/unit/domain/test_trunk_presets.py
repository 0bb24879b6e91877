"""Tests that each preset makes a trunk once its owner has filled in what it asks for, and that
docs/carriers.md shows the presets.
"""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.domain.trunk_fields import parse_name
from chalicelib.domain.trunk_presets import PRESETS
from chalicelib.domain.trunk_settings import TrunkSettings
from tools.carriers import DOC, page

FILLED_IN = {
    "host": "sip.carrier.example",
    "outbound_proxy": "proxy.carrier.example",
    "username": "acct42",
    "password": "s3cret",
    "caller_id": "+33199005678",
    "networks": ["198.51.100.0/24"],
}
"""What owners fill in."""

each_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.preset)


def filled_in(preset):
    return dict(preset.settings) | {name: FILLED_IN[name] for name in preset.ask}


@each_preset
def test_a_preset_makes_a_trunk_once_its_owner_has_filled_in_what_it_asks_for(preset):
    settings = TrunkSettings.model_validate(filled_in(preset))
    assert settings.provider == "gateway"
    assert settings.caller_id


@each_preset
@pytest.mark.parametrize("missing", ["host", "username", "networks"])
def test_a_preset_asks_for_no_less_than_a_trunk_needs(preset, missing):
    if missing not in preset.ask:
        return
    given = {name: value for name, value in filled_in(preset).items() if name != missing}
    with pytest.raises(ValidationError):
        TrunkSettings.model_validate(given)


@each_preset
def test_a_preset_holds_no_account_and_no_network_of_any_customer(preset):
    assert not {"username", "password", "caller_id", "realm", "fallback"} & set(preset.settings)
    assert not set(preset.settings) & set(preset.ask)


@each_preset
def test_a_preset_says_what_to_do_and_where_that_is_written(preset):
    assert preset.notes
    assert all(note.endswith(".") for note in preset.notes)
    assert preset.source.startswith("https://")


@each_preset
def test_a_preset_may_be_the_name_of_a_trunk(preset):
    assert parse_name(preset.preset) == preset.preset


def test_no_two_presets_have_the_same_name():
    assert len({preset.preset for preset in PRESETS}) == len(PRESETS)


def test_presets_are_listed_by_kind_and_title():
    listed = [(preset.kind, preset.title.lower()) for preset in PRESETS]
    assert listed == sorted(set(listed))


def test_the_page_shows_the_presets():
    assert DOC.read_text() == page(), "run `make carriers`"
