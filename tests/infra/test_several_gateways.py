"""Tests of an installation with several gateways: each has a machine, an address and a name, and
its task stays on its own machine.

Source: ECS developer guide, "Create expressions to define container instances for Amazon ECS
tasks" (ec2InstanceId).
"""

from __future__ import annotations

import json

import pytest

from infra.gateway_changes import effects
from tests.infra.templates import synthesised_variants

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    return synthesised_variants(
        tmp_path_factory.mktemp("gateways"),
        {"one": {}, "two": {"sizes": {"gateways": 2}}, "three": {"sizes": {"gateways": 3}}},
    )


def environments(installation):
    """The variables of each gateway's container, by its GATEWAY_ID."""
    found = {}
    for task in installation.properties("AWS::ECS::TaskDefinition"):
        [container] = task["ContainerDefinitions"]
        if container["Name"] == "gateway":
            given = {each["Name"]: each["Value"] for each in container["Environment"]}
            found[given["GATEWAY_ID"]] = given
    return found


def test_each_gateway_has_a_name_a_url_and_an_address_of_its_own(variants):
    given = environments(variants["three"])
    assert {name: each["GATEWAY_API_URL"] for name, each in given.items()} == {
        "chamade-prod-gateway": "https://gateway.chamade.example.com",
        "chamade-prod-gateway-2": "https://gateway-2.chamade.example.com",
        "chamade-prod-gateway-3": "https://gateway-3.chamade.example.com",
    }
    addresses = {json.dumps(each["EDGE_PUBLIC_IP"]) for each in given.values()}
    assert len(addresses) == len(variants["three"].all("AWS::EC2::EIP")) == 3
    outputs = variants["three"].template("media")["Outputs"]
    assert {"SipAddress", "SipAddress2", "SipAddress3"} <= set(outputs)


def test_each_task_stays_on_the_machine_whose_address_it_has_been_told(variants):
    media = variants["three"].resources("media")
    machine_of = {
        name: each["Properties"]["InstanceId"]["Ref"]
        for name, each in media.items()
        if each["Type"] == "AWS::EC2::EIP"
    }
    seen = set()
    for each in media.values():
        if (
            each["Type"] != "AWS::ECS::Service"
            or "gateway" not in each["Properties"]["ServiceName"]
        ):
            continue
        task = media[each["Properties"]["TaskDefinition"]["Ref"]]["Properties"]
        [container] = task["ContainerDefinitions"]
        given = {one["Name"]: one["Value"] for one in container["Environment"]}
        machine = machine_of[given["EDGE_PUBLIC_IP"]["Ref"]]
        [constraint] = each["Properties"]["PlacementConstraints"]
        assert constraint == {
            "Type": "memberOf",
            "Expression": {"Fn::Join": ["", ["ec2InstanceId == ", {"Ref": machine}]]},
        }
        seen.add(machine)
    assert len(seen) == 3


def test_gateways_take_turns_in_the_zones(variants):
    subnets = [json.dumps(each["SubnetId"]) for each in variants["two"].properties(
        "AWS::EC2::Instance")]  # fmt: skip
    assert len(set(subnets)) == 2


def test_the_balancer_tells_the_gateways_apart_by_name(variants):
    hosts = [
        value
        for rule in variants["two"].properties("AWS::ElasticLoadBalancingV2::ListenerRule")
        for condition in rule["Conditions"]
        for value in condition.get("HostHeaderConfig", {}).get("Values", [])
    ]
    assert {"gateway.chamade.example.com", "gateway-2.chamade.example.com"} <= set(hosts)
    names = [
        name
        for each in variants["two"].properties("AWS::CertificateManager::Certificate")
        for name in [each["DomainName"], *each.get("SubjectAlternativeNames", [])]
    ]
    assert "gateway-2.chamade.example.com" in names


def test_the_application_divides_the_trunks_only_if_there_are_several(variants):
    def said(name):
        variables = variants[name].function("webhook_handler")["Environment"]["Variables"]
        return variables.get("CHAMADE_GATEWAYS")

    assert (said("one"), said("two")) == ("one", "many")


def test_one_gateway_is_as_it_was_and_a_third_one_leaves_the_others_alone(variants):
    [given] = environments(variants["one"]).values()
    assert "GATEWAY_API_URL" not in given
    one, two, three = (variants[name].template("media") for name in ("one", "two", "three"))
    services = [each for each in one["Resources"].values() if each["Type"] == "AWS::ECS::Service"]
    assert all("PlacementConstraints" not in each["Properties"] for each in services)
    assert list(effects(two, three)) == []
    assert list(effects(one, two))  # it is told its own URL
