"""Tests that docs/cost.md counts what the templates hold, and says what they cost a month."""

from __future__ import annotations

import json
import os
import re

import pytest

from infra.settings import context
from tests.infra.templates import STACKS, synthesised_variants
from tests.support.engine import ROOT
from tools.cost import idle, sums

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


def counted(installation):
    return idle.counts(each for stack in STACKS for each in installation.resources(stack).values())


def test_the_idle_sum_counts_what_the_templates_hold(installed):
    found = counted(installed)
    if os.environ.get("CHAMADE_COUNTS") == "write":
        idle.FILE.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(idle.FILE.read_text()) == found, "CHAMADE_COUNTS=write, then tools.cost"


def test_nothing_of_the_committed_settings_is_forgotten(installed):
    found = counted(installed)
    assert found["public addresses"] == 2 + 2 + 1  # the balancer's zones, relays, the gateway
    assert found["firewalls"] == 2
    assert found["firewall rules"] == 7
    assert found["keys"] == 4
    assert found["gateways"] == 1
    assert found["Container Insights metrics"] == 8 + 2 * 6 + 2 * 11


def test_an_installation_without_a_gateway_pays_for_none(with_options):
    found = counted(with_options)
    assert found.get("gateways", 0) == 0
    assert found["public addresses"] == 2 + 3 + 2  # the balancer's zones, relays, voice hosts


def test_each_further_gateway_costs_what_the_pages_say(tmp_path):
    sizes = {"one": {}, "three": {"sizes": {**context()["chamade"]["sizes"], "gateways": 3}}}
    one, three = map(counted, synthesised_variants(tmp_path, sizes).values())
    added = {name: count / 2 for name in three if (count := three[name] - one.get(name, 0))}
    assert added == {
        "gateways": 1, "GB of disks": 30, "public addresses": 1, "custom metrics": 7,
        "Container Insights metrics": 6 + 11, "alarm metrics": 2,
    }  # fmt: skip
    sums_ = (idle.terms(each, sums.PRICES, 720) for each in (one, three))
    cheaper, dearer = (sum(each.values()) for each in sums_)
    for page in ("cost.md", "aws.md"):
        text = " ".join((ROOT / "docs" / page).read_text().split())
        (said,) = re.findall(r"[Ee]ach further gateway costs about USD (\d+) a month", text)
        assert abs(int(said) - (dearer - cheaper) / 2) < 1


def test_every_type_of_resource_is_priced_or_costs_nothing_by_the_month(installed):
    free = (
        "AWS::ApiGateway", "AWS::ApplicationAutoScaling", "AWS::Budgets", "AWS::Certificate",
        "AWS::EC2::Flow", "AWS::EC2::Internet", "AWS::EC2::Route", "AWS::EC2::Security",
        "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::Events", "AWS::IAM", "AWS::KMS::Alias",
        "AWS::Lambda", "AWS::Logs::LogGroup", "AWS::Logs::Query", "AWS::S3", "AWS::SNS",
        "AWS::SQS", "AWS::SSM", "AWS::Serverless", "AWS::StepFunctions", "AWS::WAFv2::Logging",
        "AWS::WAFv2::WebACLAssociation", "AWS::DynamoDB", "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::Target",
    )  # fmt: skip
    priced = {
        *idle._KINDS, *idle.INSIGHTS, "AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter",
    }  # fmt: skip
    types = {each["Type"] for stack in STACKS for each in installed.resources(stack).values()}
    assert {each for each in types if not each.startswith(free)} <= priced


def test_the_page_says_what_an_idle_installation_costs():
    month = sum(sums.fixed_costs(0).values())
    page = (ROOT / "docs" / "cost.md").read_text()
    (said,) = re.findall(r"The installation costs about USD (\d+) a month", page)
    assert abs(int(said) - month) < 1


def test_the_page_says_what_an_idle_installation_without_a_gateway_costs(tmp_path):
    settings = {"twilio_account_sid": "AC" + "0" * 32, "sip": False}
    found = counted(synthesised_variants(tmp_path, {"twilio": settings})["twilio"])
    month = sum(idle.terms({"gateways": 0, "GB of disks": 0, **found}, sums.PRICES, 720).values())
    page = (ROOT / "docs" / "cost.md").read_text()
    (said,) = re.findall(r"Without SIP it is about USD (\d+)", page)
    assert abs(int(said) - month) < 1
