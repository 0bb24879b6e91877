"""Tests of what a deployment does to the gateway, whose calls end when it is started anew; and of
what replaces a gateway that hangs.
"""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from gateway.edge.container import _PATIENCE
from infra.gateway_changes import effects
from tests.infra.templates import synthesised_variants
from tests.support.engine import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

TWILIO = {"twilio_account_sid": "AC" + "0" * 32}
CHANGES = {
    "sizes.gateway_instance": {"sizes": {"gateway_instance": "c6a.xlarge"}},
    "sizes.gateway_image": {"sizes": {"gateway_image": "ami-0123456789abcdef0"}},
    "sizes.gateway_processes": {"sizes": {"gateway_processes": 4}},
    "sizes.gateways": {"sizes": {"gateways": 2}},
    "sizes.gateway_memory_mb": {"sizes": {"gateway_memory_mb": 4096}},
    "domain": {"domain": "phone.example.net"},
    "sip_peers": {"sip_peers": ["192.0.2.0/24"]},
    "variables.gateway": {"variables": {"gateway": {"GATEWAY_MAX_CALLS": "50"}}},
    "sip": {**TWILIO, "sip": False},
    "twilio_account_sid": TWILIO,
    "sip_sources": {"sip_sources": ["192.0.2.0/24"]},
    "sip_hosts": {"sip_hosts": ["sip.example.com"]},
    "sign_up": {"sign_up": "open"},
    "alarm_email": {"alarm_email": "ops@example.net"},
    "certificate_arn": {"certificate_arn": "arn:aws:acm:eu-west-3:123456789012:certificate/1"},
    "hosted_zone_id": {"hosted_zone_id": "Z0123456789"},
    "variables.application": {"variables": {"application": {"CHAMADE_LOG_LEVEL": "DEBUG"}}},
    "variables.relay": {"variables": {"relay": {"RELAY_WATCH_S": "12"}}},
    "sizes.log_days": {"sizes": {"log_days": 7}},
    "sizes.relay_cpu": {"sizes": {"relay_cpu": 2048, "relay_memory_mb": 4096}},
    "sizes.relay_tasks_min": {"sizes": {"relay_tasks_min": 3}},
}
"""Setting -> a change of it."""


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    return synthesised_variants(tmp_path_factory.mktemp("changes"), {"": {}, **CHANGES})


def ending_calls(variants):
    before = variants[""].template("media")
    return {
        setting for setting in CHANGES
        if list(effects(before, variants[setting].template("media")))
    }  # fmt: skip


def test_the_page_names_exactly_the_settings_that_end_the_gateway_s_calls(variants):
    page = (ROOT / "docs" / "aws.md").read_text()
    row = re.search(r"^\| end the gateway's calls \|(.+)\|$", page, re.MULTILINE)[1]
    assert set(re.findall(r"`([\w.]+)`", row)) == ending_calls(variants)


def test_the_same_settings_and_code_change_nothing_of_the_gateway(variants):
    template = variants[""].template("media")
    assert list(effects(template, copy.deepcopy(template))) == []


def test_a_new_image_of_the_gateway_is_told(variants):
    before = variants[""].template("media")
    after = copy.deepcopy(before)
    for each in after["Resources"].values():
        if each["Type"] == "AWS::ECS::TaskDefinition":
            each["Properties"]["ContainerDefinitions"][0]["Image"] = "another"
    (said,) = effects(before, after)
    assert said == ("AWS::ECS::TaskDefinition: the gateway is started anew (ContainerDefinitions)")


def test_a_new_release_of_the_system_is_told(variants):
    before = variants[""].template("media")
    after = json.loads(json.dumps(before).replace("20261113", "20261201"))
    assert "ImageId" in next(effects(before, after))


def test_an_installation_without_a_gateway_may_get_one_at_any_time(variants):
    assert list(effects(variants["sip"].template("media"), variants[""].template("media"))) == []


def test_the_system_is_one_release_and_never_the_newest(variants):
    systems = [
        each["Default"] for each in variants[""].template("media")["Parameters"].values()
        if each["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    ]  # fmt: skip
    (system,) = systems
    assert re.search(r"/al2023-ami-ecs-hvm-2023\.0\.\d{8}-kernel-6\.1-x86_64/image_id$", system)
    own = variants["sizes.gateway_image"].only("AWS::EC2::Instance")
    assert own["ImageId"] == "ami-0123456789abcdef0"


def test_the_address_waits_for_the_network_s_gateway(variants):
    resources = variants[""].resources("media")
    (address,) = [each for each in resources.values() if each["Type"] == "AWS::EC2::EIP"]
    waited_for = {resources[name]["Type"] for name in address["DependsOn"]}
    assert "AWS::EC2::VPCGatewayAttachment" in waited_for


def make(target):
    return subprocess.run(
        ["make", "-n", "-o", ".venv/.infra", "-o", ".venv/.cdk", target],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_make_deploy_asks_before_it_deploys_the_gateway():
    said = make("deploy")
    assert said.index("'*-application'") < said.index("infra.gateway_changes")
    assert said.index("infra.gateway_changes") < said.index("--all")
    assert "--all" in make("deploy-gateway")


# A gateway that hangs


def health_check(installation):
    (container,) = [
        each for task in installation.properties("AWS::ECS::TaskDefinition")
        for each in task["ContainerDefinitions"] if each["Name"] == "gateway"
    ]  # fmt: skip
    return container, container["HealthCheck"]


def test_ecs_replaces_a_gateway_that_hangs_and_kills_what_does_not_end(variants):
    """An essential container that is unhealthy ends its task, and the service starts another."""
    container, check = health_check(variants[""])
    assert container["Essential"] is True
    assert check["Interval"] * check["Retries"] <= 30
    assert container["StopTimeout"] > 2 * _PATIENCE, "both parts may have to be killed"


@pytest.fixture
def gateway(tmp_path):
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_PORT": str(port),
        "GATEWAY_ACCOUNT_SID": "AC" + "0" * 32,
        "GATEWAY_AUTH_TOKEN": "t0ken",
        "GATEWAY_VOICE_URL": "http://127.0.0.1:9/voice",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    yield process, environment
    process.kill()
    process.wait()


def healthy(variants, environment):
    """Run the very command of the task definition, as ECS does."""
    _, check = health_check(variants[""])
    kind, program, *arguments = check["Command"]
    assert (kind, program) == ("CMD", "python")
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL,
            timeout=4 * check["Timeout"], check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def until_healthy(variants, environment):
    deadline = time.monotonic() + 30
    while not healthy(variants, environment):
        assert time.monotonic() < deadline


def test_the_health_check_fails_while_the_gateway_is_stopped(variants, gateway):
    process, environment = gateway
    until_healthy(variants, environment)
    process.send_signal(signal.SIGSTOP)
    assert not healthy(variants, environment)
    assert not healthy(variants, environment)
    process.send_signal(signal.SIGCONT)
    until_healthy(variants, environment)
