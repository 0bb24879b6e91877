"""Tests that AWS takes the templates: characters of descriptions, and sizes.

Sources: EC2 API reference, CreateSecurityGroup and IpRange (description); IAM API reference,
CreateRole; CloudFormation user guide, "Understand CloudFormation quotas".
"""

from __future__ import annotations

import re

import pytest

from tests.infra.templates import STACKS

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

OF_GROUP = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
OF_ROLE = re.compile(r"[\t\n\r -~\u00a1-\u00ff]{1,1000}")


@pytest.fixture
def both(installed, with_options):
    return installed, with_options


def test_no_description_of_a_security_group_or_its_rules_is_refused(both):
    told = []
    for group in (each for one in both for each in one.properties("AWS::EC2::SecurityGroup")):
        rules = [*group.get("SecurityGroupIngress", []), *group.get("SecurityGroupEgress", [])]
        told += [group["GroupDescription"], *(rule["Description"] for rule in rules)]
    for kind in ("Ingress", "Egress"):
        for one in both:
            rules = one.properties(f"AWS::EC2::SecurityGroup{kind}")
            told += [rule["Description"] for rule in rules]
    assert len(told) > 20
    assert [each for each in told if not OF_GROUP.fullmatch(each)] == []


def test_no_description_of_a_role_is_refused(both):
    roles = [each for one in both for each in one.properties("AWS::IAM::Role")]
    told = [each["Description"] for each in roles if "Description" in each]
    assert len(told) >= 12
    assert all(OF_ROLE.fullmatch(each) for each in told)


def test_templates_are_within_the_quotas_of_cloudformation(both):
    for one in both:
        for stack in STACKS:
            template = one.template(stack)
            assert one.path(stack).stat().st_size < 1_000_000
            assert len(template["Resources"]) <= 500
            assert len(template.get("Outputs", {})) <= 200
            assert len(template.get("Parameters", {})) <= 200
