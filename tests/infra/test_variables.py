"""Tests that every documented setting of the containers and functions can be set in
infra/cdk.json, or says what to do instead.
"""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from infra.settings import complaints, context, from_context
from infra.variables import NOT_SETTABLE, PARTS, documented, settable
from tests.infra.templates import synthesised_variants
from tests.infra.test_media import container, environment

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

GIVEN = context()["chamade"]
EACH = {
    part: {
        # Chalice imports the application with its variables, and it takes a known level only.
        name: "DEBUG" if name.endswith("_LOG_LEVEL") else f"of {name}"
        for name in sorted(settable(part))
    }
    for part in PARTS
}
SETTINGS = {
    "variables": EACH,
    "sip_peers": ["192.0.2.0/24", "198.51.100.7/32"],
    "sip_hosts": ["sip.example.com"],
    "hosted_voice": True,
    "twilio_account_sid": "AC" + "0" * 32,
    "twilio_sip_domain": "x.sip.twilio.com",
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return synthesised_variants(tmp_path_factory.mktemp("everything"), {"all": SETTINGS})["all"]


def given(installation, part):
    """The variables of a part, with those whose values are fetched or come from ECS."""
    if part == "application":
        variables = dict(installation.function("sweep")["Environment"]["Variables"])
        return {name.removesuffix("_ARN"): value for name, value in variables.items()}
    definition = container(installation, part)[1]
    secrets = {each["Name"]: "a secret" for each in definition["Secrets"]}
    return {**environment(definition), **secrets}


def test_the_page_lists_the_variables_of_each_part():
    assert {"CHAMADE_TABLE", "CHAMADE_LOG_LEVEL"} <= documented("application")
    assert {"CHAMADE_CONTROL_URL", "RELAY_WATCH_S"} <= documented("relay")
    assert {"VOICE_NAME", "CHAMADE_VOICE_SECRET"} <= documented("voice")
    assert {"GATEWAY_MAX_CALLS", "GATEWAY_SIP_CA_FILE", "EDGE_BAN_S"} <= documented("gateway")


@pytest.mark.parametrize("part", PARTS)
def test_every_variable_that_can_be_set_reaches_its_part(everything, part):
    variables = given(everything, part)
    assert len(EACH[part]) >= {"application": 1, "voice": 2}.get(part, 5)
    assert EACH[part].items() <= variables.items()


@pytest.mark.parametrize("part", PARTS)
def test_every_variable_that_we_set_is_refused_with_what_to_do(everything, part):
    assert set(given(everything, part)) - set(EACH[part]) <= set(NOT_SETTABLE)


def test_nothing_is_refused_that_is_not_documented():
    known = set().union(*map(documented, PARTS))
    assert set(NOT_SETTABLE) <= known


def test_the_networks_of_peers_reach_the_edge(everything):
    assert given(everything, "gateway")["EDGE_PEERS"] == "192.0.2.0/24,198.51.100.7/32"


@pytest.mark.parametrize(
    ("part", "name", "line"),
    [
        ("gateway", "EDGE_PEERS",
         "variables.gateway: EDGE_PEERS cannot be set here: use `sip_peers`"),
        ("relay", "GATEWAY_MAX_CALLS",
         "variables.relay: GATEWAY_MAX_CALLS is no setting of this part (docs/settings.md)"),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_be_set_is_refused_by_name(part, name, line):
    with pytest.raises(ValidationError) as refused:
        from_context({**GIVEN, "variables": {part: {name: "1"}}})
    assert line in json.dumps(complaints(refused.value))
