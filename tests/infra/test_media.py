"""Relay and gateway: who reaches them, how they scale, how they end."""

from __future__ import annotations

import json
import re

import pytest

from infra.environment import COUNTS_S
from tests.infra.templates import actions
from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


def container(installed, name):
    tasks = installed.properties("AWS::ECS::TaskDefinition")
    (found,) = [
        (task, each) for task in tasks for each in task["ContainerDefinitions"]
        if each["Name"] == name
    ]  # fmt: skip
    return found


def environment(definition):
    return {each["Name"]: each["Value"] for each in definition["Environment"]}


def service(installed, name):
    return installed.only("AWS::ECS::Service", ServiceName=f"chamade-{installed.stage}-{name}")


def attributes(resource, of):
    return {each["Key"]: each["Value"] for each in resource[of]}


def target_group(installed, part):
    (found,) = [
        resource["Properties"]
        for name, resource in installed.resources("media").items()
        if resource["Type"].endswith("::TargetGroup") and name.startswith(part)
    ]
    return found


@pytest.mark.parametrize(
    ("name", "prefixes", "of_image"),
    [
        ("relay", ("RELAY_", "CHAMADE_"), {"RELAY_HOST", "RELAY_PORT"}),
        ("gateway", ("GATEWAY_",), {"GATEWAY_HOST", "GATEWAY_PORT"}),
    ],
)
def test_each_container_is_told_what_its_code_reads_and_needs(installed, name, prefixes, of_image):
    _, definition = container(installed, name)
    code = (ROOT / name / "config.py").read_text()
    read = set(re.findall(rf'"((?:{"|".join(prefixes)})[A-Z_]+)"', code))
    needed = set(re.findall(r'(?:_needed|_required)\(\w+, "([A-Z_]+)"\)', code))
    told = set(environment(definition)) | {each["Name"] for each in definition["Secrets"]}
    assert needed <= told
    assert {each for each in told if each.startswith(prefixes)} <= read
    assert not told & of_image


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("relay", {"CHAMADE_CONTROL_SECRET"}),
        ("gateway", {"GATEWAY_AUTH_TOKEN", "GATEWAY_CONTROL_SECRET"}),
    ],
)
def test_containers_are_given_their_own_secrets_by_ecs_and_no_others(installed, name, secrets):
    task, definition = container(installed, name)
    assert {each["Name"] for each in definition["Secrets"]} == secrets
    statements = installed.statements(task["ExecutionRoleArn"])
    read = [
        each for each in statements if "secretsmanager:GetSecretValue" in actions([each])
    ]  # fmt: skip
    assert len(read) == 1
    resources = read[0]["Resource"]
    assert len(resources if isinstance(resources, list) else [resources]) == len(secrets)
    if "TaskRoleArn" in task:
        assert not actions(installed.statements(task["TaskRoleArn"])) & {
            "secretsmanager:GetSecretValue", "dynamodb:GetItem",
        }  # fmt: skip


def test_both_log_their_counts_of_which_metrics_are_made(installed):
    assert environment(container(installed, "relay")[1])["RELAY_COUNTS_S"] == COUNTS_S
    assert environment(container(installed, "gateway")[1])["GATEWAY_COUNTS_S"] == COUNTS_S


def test_no_relay_reaches_into_our_own_network(installed):
    assert "RELAY_ALLOW_PRIVATE_AGENTS" not in environment(container(installed, "relay")[1])
    told = environment(container(installed, "gateway")[1])
    assert not {"GATEWAY_ALLOW_PRIVATE_TRUNKS", "EDGE_ALLOW_PRIVATE"} & set(told)


def test_a_relay_that_ends_has_time_to_drain(installed):
    _, definition = container(installed, "relay")
    drain = int(environment(definition)["RELAY_DRAIN_S"])
    assert drain < definition["StopTimeout"] == 120  # Fargate's longest
    group = target_group(installed, "Relay")
    delay = attributes(group, "TargetGroupAttributes")["deregistration_delay.timeout_seconds"]
    assert int(delay) >= drain


def test_a_relay_may_ask_to_be_spared_and_nothing_else(installed):
    task, _ = container(installed, "relay")
    statements = installed.statements(task["TaskRoleArn"])
    assert actions(statements) == {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
    assert "task/chamade-prod-media/*" in json.dumps(statements)


def test_deploying_never_leaves_fewer_relays_than_there_are(installed):
    deployment = service(installed, "relay")["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_relays_are_in_two_zones(installed):
    network = service(installed, "relay")["NetworkConfiguration"]["AwsvpcConfiguration"]
    subnets = [installed.resources("media")[each["Ref"]] for each in network["Subnets"]]
    zones = {json.dumps(each["Properties"]["AvailabilityZone"]) for each in subnets}
    assert len(zones) == 2


def test_relays_scale_on_calls_a_task_and_on_processor(installed):
    policies = [
        each["TargetTrackingScalingPolicyConfiguration"]
        for each in installed.properties("AWS::ApplicationAutoScaling::ScalingPolicy")
    ]
    (calls,) = [each for each in policies if "CustomizedMetricSpecification" in each]
    metric = calls["CustomizedMetricSpecification"]
    assert (metric["Namespace"], metric["MetricName"]) == ("Chamade/prod", "RelayCalls")
    assert (metric["Statistic"], calls["TargetValue"]) == ("Average", 120)
    assert len(policies) == 2
    target = installed.only("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)


def test_sockets_that_are_quiet_are_not_cut(installed):
    """The relay pings every 20 s; the balancer's own idle time-out would be 60."""
    from relay.server import _PING_S

    balancer = installed.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    idle = attributes(balancer, "LoadBalancerAttributes")["idle_timeout.timeout_seconds"]
    assert int(idle) >= 3 * _PING_S


def test_the_world_comes_in_by_tls_and_to_the_paths_that_are_for_it(installed):
    listener = installed.only("AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    (default,) = listener["DefaultActions"]
    assert default["FixedResponseConfig"]["StatusCode"] == "404"
    rules = installed.properties("AWS::ElasticLoadBalancingV2::ListenerRule")
    served = {}
    for rule in rules:
        values = {
            each["Field"]: next(v["Values"] for k, v in each.items() if k.endswith("Config"))
            for each in rule["Conditions"]
        }
        assert sum(map(len, values.values())) <= 5  # more the balancer does not take
        served.setdefault(values["host-header"][0], []).extend(values["path-pattern"])
    assert served == {
        "relay.chamade.example.com": ["/media/*", "/healthz"],
        "gateway.chamade.example.com": [
            "/2010-04-01/*", "/trunks*", "/legs/*", "/healthz", "/status", "/drain",
        ],
    }  # fmt: skip
    assert not [path for paths in served.values() for path in paths if "metrics" in path]


def test_the_paths_that_are_forwarded_are_those_that_the_code_serves(installed):
    code = "".join(path.read_text() for path in (ROOT / "gateway").glob("**/*.py"))
    assert '"/2010-04-01/Accounts/' in code
    assert '"/trunks"' in code
    for path in ("/legs/call", "/status", "/drain"):
        assert f'"{path}"' in code
    relay = (ROOT / "relay" / "server.py").read_text()
    assert "/media/provider/" in relay
    assert "/media/agent/" in relay


def test_health_is_what_each_says_of_itself(installed):
    for part in ("Relay", "Gateway"):
        group = target_group(installed, part)
        assert (group["HealthCheckPath"], group["Matcher"]) == ("/healthz", {"HttpCode": "200"})


def ingress(installed, part):
    """(port, from, protocol, who) of what a group lets in."""
    resources = installed.resources("media")
    (name,) = [
        name for name, each in resources.items()
        if each["Type"] == "AWS::EC2::SecurityGroup" and name.startswith(part)
    ]  # fmt: skip
    own = resources[name]["Properties"].get("SecurityGroupIngress", [])
    beside = [
        each["Properties"] for each in resources.values()
        if each["Type"] == "AWS::EC2::SecurityGroupIngress"
        and each["Properties"]["GroupId"]["Fn::GetAtt"][0] == name
    ]  # fmt: skip
    return {
        (each["FromPort"], each["ToPort"], each["IpProtocol"], each.get("CidrIp", "a group"))
        for each in own + beside
    }


def test_only_the_balancer_and_other_relays_reach_a_relay(installed):
    assert ingress(installed, "RelayGroup") == {(8702, 8702, "tcp", "a group")}


def test_the_gateway_is_open_for_sip_and_audio_and_to_the_balancer(installed):
    anybody = "0.0.0.0/0"
    assert ingress(installed, "GatewayGroup") == {
        (5060, 5060, "udp", anybody),
        (5060, 5060, "tcp", anybody),
        (5061, 5061, "tcp", anybody),
        (10000, 19999, "udp", anybody),
        (8703, 8703, "tcp", "a group"),
    }


def test_the_gateway_has_the_ports_that_its_image_and_its_settings_name(installed):
    from gateway.config import Config

    exposed = (ROOT / "gateway" / "Dockerfile").read_text()
    assert "EXPOSE 8703 5060/udp 5060/tcp 5061/tcp 10000-19999/udp" in exposed
    assert Config.__dataclass_fields__["rtp_ports"].default == (10000, 19999)


def test_the_gateway_knows_its_address_which_stays(installed):
    address = installed.all("AWS::EC2::EIP")[0]
    assert address["DeletionPolicy"] == "Retain"
    told = environment(container(installed, "gateway")[1])["EDGE_PUBLIC_IP"]
    assert told["Ref"].startswith("GatewayAddress")
    task, _ = container(installed, "gateway")
    assert task["NetworkMode"] == "host"
    deployment = service(installed, "gateway")["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 100)


def test_the_gateway_s_host_takes_new_metadata_requests_only_and_none_of_the_container(installed):
    launch = installed.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    setup = json.dumps(installed.only("AWS::EC2::Instance")["UserData"])
    assert "169.254.169.254 -m owner --uid-owner 10001 -j REJECT" in setup
    assert "--uid 10001 gateway" in (ROOT / "gateway" / "Dockerfile").read_text()


def test_an_image_changes_with_what_its_dockerfile_copies_only(installed):
    assets = json.loads(installed.path("media").with_name(
        f"chamade-{installed.stage}-media.assets.json"
    ).read_text())["dockerImages"]  # fmt: skip
    by_file = {
        each["source"]["dockerFile"]: each["source"]["directory"] for each in assets.values()
    }
    assert set(by_file) == {"relay/Dockerfile", "gateway/Dockerfile"}
    for file, folder in by_file.items():
        root = installed.folder / folder
        there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        part = file.partition("/")[0]
        assert {f"{part}/__main__.py", f"{part}/requirements.txt", "wire/__init__.py"} <= there
        assert {path.partition("/")[0] for path in there} == {part, "wire"}


def test_without_sip_there_is_no_gateway(with_options):
    assert with_options.all("AWS::EC2::Instance") == []
    names = {each["ServiceName"] for each in with_options.properties("AWS::ECS::Service")}
    assert names == {"chamade-test-relay"}
    assert service(with_options, "relay")["DesiredCount"] == 3


def test_who_was_refused_a_packet_is_logged_and_handshakes_are(installed):
    assert installed.only("AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
    balancer = installed.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    told = attributes(balancer, "LoadBalancerAttributes")
    assert told["access_logs.s3.enabled"] == "true"
    assert told["deletion_protection.enabled"] == "true"
