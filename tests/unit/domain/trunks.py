"""Trunks, settings and numbers for the tests of this folder."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.domain.did import Did
from chalicelib.domain.trunk import apply_settings
from chalicelib.domain.trunk_settings import TrunkSettings

GIVEN = {"host": "sip.carrier.example", "username": "acct42", "password": "s3cret-pw"}
NOW = 1_790_000_000_000


def settings(**changes):
    return TrunkSettings.model_validate({**GIVEN, **changes})


def trunk(**changes):
    return apply_settings(None, "acc_1", settings(**changes), "x.sip.example", NOW)


def did(e164):
    return Did(e164=e164, trunk_id="trunk_a", account_id="acc_1", added_at=NOW)


def refusal(**changes):
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    return refused.value.errors()[0]["msg"]
