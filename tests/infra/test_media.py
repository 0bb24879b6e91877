"""Tests of relay and gateway in AWS: access, scaling, draining."""

from __future__ import annotations

import json
import re

import pytest

from gateway.config import Config
from infra.environment import COUNTS_S, gateway
from infra.settings import context, from_context
from tests.infra.templates import actions
from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


@pytest.fixture(scope="module")
def installations(installed, with_options):
    """Part -> an installation that has it."""
    return {"relay": installed, "gateway": installed, "voice": with_options}


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
        ("voice", ("VOICE_", "CHAMADE_"), {"VOICE_HOST", "VOICE_PORT", "VOICE_ENGINE"}),
    ],
)
def test_each_container_gets_the_settings_its_code_reads_and_needs(
    installations, name, prefixes, of_image
):
    _, definition = container(installations[name], name)
    code = (ROOT / name / "config.py").read_text()
    read = set(re.findall(rf'"((?:{"|".join(prefixes)})[A-Z_]+)"', code))
    needed = set(re.findall(r'(?:_needed|_required)\(\w+, "([A-Z_]+)"\)', code))
    needed.discard("VOICE_OPENAI_URL")  # of another engine
    settings = set(environment(definition)) | {each["Name"] for each in definition["Secrets"]}
    assert needed <= settings
    assert {each for each in settings if each.startswith(prefixes)} <= read
    assert not settings & of_image


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("relay", {"CHAMADE_CONTROL_SECRET"}),
        ("gateway", {"GATEWAY_AUTH_TOKEN", "GATEWAY_CONTROL_SECRET"}),
        ("voice", {"CHAMADE_VOICE_SECRET"}),
    ],
)
def test_containers_are_given_their_own_secrets_by_ecs_and_no_others(installations, name, secrets):
    installed = installations[name]
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


@pytest.mark.parametrize("part", ["relay", "gateway", "voice"])
def test_each_part_logs_the_counts_that_metrics_are_made_of(installations, part):
    settings = environment(container(installations[part], part)[1])
    assert settings[f"{part.upper()}_COUNTS_S"] == COUNTS_S


def test_the_gateway_has_a_process_on_each_processor_and_one_range_of_rtp_for_all(installed):
    assert environment(container(installed, "gateway")[1])["GATEWAY_PROCESSES"] == "auto"
    rules = installed.properties("AWS::EC2::SecurityGroup")
    ranges = [
        (rule["FromPort"], rule["ToPort"])
        for group in rules
        for rule in group.get("SecurityGroupIngress", [])
        if rule["IpProtocol"] == "udp" and rule["FromPort"] != rule["ToPort"]
    ]
    assert ranges == [Config(account_sid="", auth_token="", voice_url="").rtp_ports]


def test_the_operator_may_set_the_number_of_gateway_processes():
    given = context()["chamade"]
    sizes = given["sizes"] | {"gateway_processes": 4}
    settings = gateway(from_context(given | {"sizes": sizes}), public_ip="192.0.2.1")
    assert settings["GATEWAY_PROCESSES"] == "4"


def test_relays_take_the_client_s_address_from_the_balancer(installed):
    assert environment(container(installed, "relay")[1])["RELAY_BEHIND_PROXY"] == "1"


def test_neither_relay_nor_gateway_may_connect_to_private_addresses(installed):
    assert "RELAY_ALLOW_PRIVATE_AGENTS" not in environment(container(installed, "relay")[1])
    settings = environment(container(installed, "gateway")[1])
    assert not {"GATEWAY_ALLOW_PRIVATE_TRUNKS", "EDGE_ALLOW_PRIVATE"} & set(settings)


def test_a_relay_that_is_stopped_has_time_to_drain(installed):
    _, definition = container(installed, "relay")
    drain = int(environment(definition)["RELAY_DRAIN_S"])
    assert drain < definition["StopTimeout"] == 120  # Fargate's longest
    group = target_group(installed, "RelayTargets")
    delay = attributes(group, "TargetGroupAttributes")["deregistration_delay.timeout_seconds"]
    assert int(delay) >= drain


def test_a_relay_s_role_allows_task_protection_and_nothing_else(installed):
    task, _ = container(installed, "relay")
    statements = installed.statements(task["TaskRoleArn"])
    assert actions(statements) == {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
    assert "task/chamade-prod-media/*" in json.dumps(statements)


def test_a_deployment_never_lowers_the_number_of_relays(installed):
    deployment = service(installed, "relay")["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_relays_are_in_two_zones(installed):
    network = service(installed, "relay")["NetworkConfiguration"]["AwsvpcConfiguration"]
    subnets = [installed.resources("media")[each["Ref"]] for each in network["Subnets"]]
    zones = {json.dumps(each["Properties"]["AvailabilityZone"]) for each in subnets}
    assert len(zones) == 2


def test_relays_scale_on_calls_a_task_and_on_cpu(installed):
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


def test_the_balancer_s_idle_timeout_is_longer_than_the_relay_s_ping_interval(installed):
    """The relay pings every 20 s; the balancer's own idle time-out would be 60."""
    from relay.network.server import _PING_S

    balancer = installed.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    idle = attributes(balancer, "LoadBalancerAttributes")["idle_timeout.timeout_seconds"]
    assert int(idle) >= 3 * _PING_S


def test_the_balancer_takes_tls_and_forwards_public_paths_only(installed):
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
        "relay.chamade.example.com": ["/media/*", "/healthz", "/door/*"],
        "gateway.chamade.example.com": [
            "/2010-04-01/*", "/trunks*", "/legs/*", "/healthz", "/status", "/drain",
        ],
    }  # fmt: skip
    assert not [path for paths in served.values() for path in paths if "metrics" in path]


def test_the_forwarded_paths_are_those_that_the_code_serves(installed):
    code = "".join(path.read_text() for path in (ROOT / "gateway").glob("**/*.py"))
    assert '"/2010-04-01/Accounts/' in code
    assert '"/trunks"' in code
    for path in ("/legs/call", "/status", "/drain"):
        assert f'"{path}"' in code
    relay = (ROOT / "relay" / "network" / "server.py").read_text()
    assert "/media/provider/" in relay
    assert "/media/agent/" in relay


def test_health_checks_read_each_container_s_own_healthz(installations):
    for part in ("relay", "gateway", "voice"):
        group = target_group(installations[part], f"{part.capitalize()}Targets")
        assert (group["HealthCheckPath"], group["Matcher"]) == ("/healthz", {"HttpCode": "200"})


def ingress(installed, part):
    """(port, from, protocol, who) of what a group lets in."""
    resources = installed.resources("media")
    (name,) = [
        name for name, each in resources.items()
        if each["Type"] == "AWS::EC2::SecurityGroup" and name.startswith(part)
    ]  # fmt: skip
    own = resources[name]["Properties"].get("SecurityGroupIngress", [])
    others = [
        each["Properties"] for each in resources.values()
        if each["Type"] == "AWS::EC2::SecurityGroupIngress"
        and each["Properties"]["GroupId"]["Fn::GetAtt"][0] == name
    ]  # fmt: skip
    return {
        (each["FromPort"], each["ToPort"], each["IpProtocol"], each.get("CidrIp", "a group"))
        for each in own + others
    }


def test_a_relay_accepts_connections_from_the_balancer_and_other_relays_only(installed):
    assert ingress(installed, "RelayGroup") == {
        (8702, 8702, "tcp", "a group"),
        (8703, 8703, "tcp", "a group"),
    }


def test_the_gateway_is_open_for_sip_and_audio_and_for_the_balancer(installed):
    anybody = "0.0.0.0/0"
    assert ingress(installed, "GatewayGroup") == {
        (5060, 5060, "udp", anybody),
        (5060, 5060, "tcp", anybody),
        (5061, 5061, "tcp", anybody),
        (10000, 19999, "udp", anybody),
        (8703, 8703, "tcp", "a group"),
    }


def test_the_gateway_s_open_ports_are_those_of_its_image_and_settings(installed):
    from gateway.config import Config

    exposed = (ROOT / "gateway" / "Dockerfile").read_text()
    assert "EXPOSE 8703 5060/udp 5060/tcp 5061/tcp 10000-19999/udp" in exposed
    assert Config.__dataclass_fields__["rtp_ports"].default == (10000, 19999)


def test_the_gateway_is_told_its_elastic_ip(installed):
    address = installed.all("AWS::EC2::EIP")[0]
    assert address["DeletionPolicy"] == "RetainExceptOnCreate"
    settings = environment(container(installed, "gateway")[1])["EDGE_PUBLIC_IP"]
    assert settings["Ref"].startswith("GatewayAddress")
    task, _ = container(installed, "gateway")
    assert task["NetworkMode"] == "host"
    deployment = service(installed, "gateway")["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 100)


def test_the_gateway_s_host_takes_new_metadata_requests_only_and_none_of_the_container(installed):
    instance = installed.only("AWS::EC2::Instance")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    setup = json.dumps(instance["UserData"])
    assert "169.254.169.254 -m owner --uid-owner 10001 -j REJECT" in setup
    assert "--uid 10001 gateway" in (ROOT / "gateway" / "Dockerfile").read_text()


def test_an_image_s_hash_depends_only_on_the_files_its_dockerfile_copies(installed):
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
        assert {f"{part}/__main__.py", f"{part}/requirements.txt", "common/__init__.py"} <= there
        assert {path.partition("/")[0] for path in there} == {part, "common", "runtime"}


def test_an_installation_without_sip_has_no_gateway(with_options):
    assert with_options.all("AWS::EC2::Instance") == []
    names = {each["ServiceName"] for each in with_options.properties("AWS::ECS::Service")}
    assert names == {"chamade-test-relay", "chamade-test-voice"}
    assert service(with_options, "relay")["DesiredCount"] == 3


def test_an_installation_has_voice_hosts_only_if_it_wants_them(installed, with_options):
    types = {
        each["Type"] for name, each in installed.resources("media").items() if name[:5] == "Voice"
    }
    assert types == {"AWS::SSM::Parameter"}  # which says that there are none
    variables = installed.function("api_handler")["Environment"]["Variables"]
    assert not [name for name in variables if name.startswith("CHAMADE_VOICE_")]
    there = with_options.function("api_handler")["Environment"]["Variables"]
    assert there["CHAMADE_VOICE_URLS"] == "https://voice.phone.example.net"
    assert "CHAMADE_VOICE_SECRET_ARN" in there
    assert service(with_options, "voice")["DesiredCount"] == 2


def test_a_voice_host_may_speak_and_hear_and_nothing_else(with_options):
    task, _ = container(with_options, "voice")
    assert actions(with_options.statements(task["TaskRoleArn"])) == {
        "polly:DescribeVoices",
        "polly:SynthesizeSpeech",
        "transcribe:StartStreamTranscriptionWebSocket",
    }


def test_voice_hosts_take_relays_and_the_balancer_only(with_options):
    assert ingress(with_options, "VoiceGroup") == {(8705, 8705, "tcp", "a group")}
    (rule,) = [
        each for each in with_options.properties("AWS::ElasticLoadBalancingV2::ListenerRule")
        if "voice.phone.example.net" in json.dumps(each["Conditions"])
    ]  # fmt: skip
    assert json.dumps("/v1/*") in json.dumps(rule["Conditions"])
    assert "metrics" not in json.dumps(rule["Conditions"])


def test_more_voice_hosts_are_started_before_any_is_full(with_options):
    (calls,) = [
        each["TargetTrackingScalingPolicyConfiguration"]
        for each in with_options.properties("AWS::ApplicationAutoScaling::ScalingPolicy")
        if "VoiceCalls" in json.dumps(each)
    ]
    places = int(environment(container(with_options, "voice")[1])["VOICE_MAX_CALLS"])
    assert 0 < calls["TargetValue"] < places


def test_a_voice_host_that_is_stopped_has_time_to_drain(with_options):
    _, definition = container(with_options, "voice")
    assert int(environment(definition)["VOICE_DRAIN_S"]) < definition["StopTimeout"] == 120


def test_the_application_gives_commands_at_the_relays_door(installed):
    variables = installed.function("api_handler")["Environment"]["Variables"]
    assert variables["CHAMADE_RELAY_DOOR_URL"] == "https://relay.chamade.example.com"
    doors = target_group(installed, "RelayDoors")
    assert (doors["Port"], doors["HealthCheckPort"]) == (8703, "8703")
    assert target_group(installed, "RelayTargets")["HealthCheckPort"] == "8702"
    _, definition = container(installed, "relay")
    assert [each["ContainerPort"] for each in definition["PortMappings"]] == [8702, 8703]


def test_refused_packets_and_tls_handshakes_are_logged(installed):
    assert installed.only("AWS::EC2::FlowLog")["TrafficType"] == "REJECT"
    balancer = installed.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    settings = attributes(balancer, "LoadBalancerAttributes")
    assert settings["access_logs.s3.enabled"] == "true"
