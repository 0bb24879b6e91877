"""Tests that an installation can be changed from any settings to any others.

CloudFormation refuses to remove or change an export that a deployed stack imports, and stacks are
deployed one after the other. So an update that drops an export before its importer is deployed can
never succeed (CloudFormation user guide, "Get exported outputs from a deployed stack").
"""

from __future__ import annotations

import itertools
import json

import pytest

from tests.infra.templates import STACKS, synthesised_variants

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

TWILIO = {"twilio_account_sid": "AC" + "0" * 32}
SETTINGS = {
    "sip": {},
    "sip and Twilio": TWILIO,
    "Twilio": {**TWILIO, "sip": False},
    "sip, a certificate": {"certificate_arn": "arn:aws:acm:eu-west-3:123456789012:certificate/1"},
    "Twilio, a certificate": {
        **TWILIO, "sip": False,
        "certificate_arn": "arn:aws:acm:eu-west-3:123456789012:certificate/1",
    },
    "sip, a zone": {"hosted_zone_id": "Z0123456789"},
    "Twilio, a zone": {**TWILIO, "sip": False, "hosted_zone_id": "Z0123456789"},
    "another domain": {"domain": "phone.example.net"},
    "alarms and a budget": {"alarm_email": "ops@example.net", "monthly_budget_usd": 500},
    "three gateways": {"sizes": {"gateways": 3}},
    "other sizes": {
        "sip_sources": ["192.0.2.0/24"],
        "sip_hosts": ["sip.example.com"],
        "sizes": {"gateway_instance": "c6a.xlarge", "relay_tasks_min": 3, "log_days": 7,
                  "gateway_image": "ami-0123456789abcdef0", "relay_cpu": 2048,
                  "relay_memory_mb": 4096},
    },
}  # fmt: skip
"""Settings that change which resources there are, or replace some."""


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    return synthesised_variants(folder, SETTINGS)


def exports(template):
    """Export name -> (what it is, the resource that it is of)."""
    found = {}
    for output in template.get("Outputs", {}).values():
        if "Export" in output:
            value = output["Value"]
            resource = value.get("Ref") or value["Fn::GetAtt"][0]
            properties = dict(template["Resources"][resource]["Properties"])
            properties.pop("Tags", None)
            found[output["Export"]["Name"]] = json.dumps([value, properties], sort_keys=True)
    return found


def imports(template):
    """The exports that a template imports."""
    found, rest = set(), [template]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if isinstance(name := part.get("Fn::ImportValue"), str):
                found.add(name)
            rest += part.values()
        elif isinstance(part, list):
            rest += part
    return found


def refusals(before, after):
    """What CloudFormation would refuse, if the stacks of `before` are changed to `after`."""
    deployed = {stack: before.template(stack) for stack in STACKS}
    for stack in STACKS:  # the order of their dependencies
        new = after.template(stack)
        old_exports, new_exports = exports(deployed[stack]), exports(new)
        others = [template for name, template in deployed.items() if name != stack]
        imported = set().union(*map(imports, others))
        for name in imported & set(old_exports):
            if name not in new_exports:
                yield f"{stack}: {name} is removed while it is imported"
            elif new_exports[name] != old_exports[name]:
                yield f"{stack}: {name} may change while it is imported"
        there = set().union(*(exports(template) for template in others))
        yield from (f"{stack}: there is no {name}" for name in imports(new) - there)
        deployed[stack] = new


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(SETTINGS, 2)))
def test_no_change_of_settings_removes_an_export_that_is_imported(variants, before, after):
    assert list(refusals(variants[before], variants[after])) == []


def test_stacks_are_deployed_in_the_order_that_is_tested(installed):
    manifest = json.loads((installed.folder / "manifest.json").read_text())["artifacts"]
    names = {stack: f"chamade-{installed.stage}-{stack}" for stack in STACKS}
    for number, stack in enumerate(STACKS):
        needed = set(manifest[names[stack]]["dependencies"]) & set(names.values())
        assert needed <= {names[each] for each in STACKS[:number]}


def test_the_parameters_that_the_monitoring_reads_are_there_before_it(variants):
    for variant in variants.values():
        read = {
            each["Default"]
            for each in variant.template("watch")["Parameters"].values()
            if each["Type"].startswith("AWS::SSM::") and each["Default"].startswith("/chamade/")
        }
        made = {each["Name"] for each in variant.properties("AWS::SSM::Parameter")}
        assert read
        assert read <= made
