"""Tests of infra/cdk.json: an invalid setting is refused with a sentence that names it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from pydantic import ValidationError

from infra.settings import Settings, complaints, context, from_context
from tests.infra.templates import PYTHON
from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

GIVEN = context()["chamade"]


def test_the_settings_file_in_the_repository_is_valid():
    settings = from_context(GIVEN)
    assert (settings.sign_up, settings.sip) == ("closed", True)
    assert settings.hosts == [f"{part}.chamade.example.com" for part in ("api", "relay", "gateway")]
    voiced = from_context({**GIVEN, "hosted_voice": True})
    assert voiced.hosts == [*settings.hosts, "voice.chamade.example.com"]


def test_the_settings_file_names_every_setting():
    assert set(GIVEN) == set(Settings.model_fields)
    assert set(GIVEN["sizes"]) == set(type(from_context(GIVEN).sizes).model_fields)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"domain": "https://x.example"}, "domain must be a name"),
        ({"domain": ""}, "domain must be a name"),
        ({"sip": False}, "no trunking provider"),
        ({"twilio_account_sid": "AC123"}, "twilio_account_sid"),
        ({"twilio_sip_domain": "x.sip.twilio.com"}, "goes with twilio_account_sid"),
        ({"sip_sources": ["::/0"]}, "IPv4 only"),
        ({"sip_sources": []}, "sip_sources"),
        ({"sign_up": "maybe"}, "sign_up"),
        ({"monthly_budget_usd": 100}, "goes with alarm_email"),
        ({"stage": "Prod!"}, "stage"),
        ({"region": "Paris"}, "region"),
        ({"typo": 1}, "typo"),
        ({"sizes": {"relay_tasks_min": 5, "relay_tasks_max": 2}}, "relay_tasks_max is below"),
        ({"sizes": {"voice_tasks_min": 5, "voice_tasks_max": 2}}, "voice_tasks_max is below"),
        ({"sizes": {"reserved_concurrency": {"sweeep": 1}}}, "sweeep"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(changed, named):
    with pytest.raises(ValidationError, match=named):
        from_context({**GIVEN, **changed})


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"region": "Paris"}, "region: the name of a region, as in eu-west-3, or nothing"),
        ({"stage": "Prod!"}, "stage: a word of up to 12 small letters and digits, as in prod"),
        ({"sizes": {"gateway_image": "x"}}, "sizes.gateway_image: the id of an image, as in "
         "ami-0123456789abcdef0, or the name of a release of AWS's system for ECS, as in "
         "al2023-ami-ecs-hvm-2023.0.20261113-kernel-6.1-x86_64"),
        ({"sizes": {"gateway_processes": 0}}, "sizes.gateway_processes: a number from 1 to 32, "
         "or auto"),
        ({"domain": "x"}, "chamade: domain must be a name such as phone.example.com, not 'x'"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_told_with_what_is_wanted(changed, line):
    with pytest.raises(ValidationError) as refused:
        from_context({**GIVEN, **changed})
    assert complaints(refused.value) == [line]


def test_starting_with_invalid_settings_prints_one_sentence():
    wrong = json.dumps({"chamade": {**GIVEN, "domain": "localhost"}})
    done = subprocess.run(
        [PYTHON, "-m", "infra"],
        cwd=ROOT, env={**os.environ, "CDK_CONTEXT_JSON": wrong},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "infra/cdk.json: chamade: domain must be a name" in done.stderr
    assert "Traceback" not in done.stderr
