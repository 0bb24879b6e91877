"""The cost of an installation without a call: what its templates hold that is paid for by the month
or the hour.

`idle.json` has the counts of the committed infra/cdk.json; tests/infra/test_idle_cost.py counts
them in the templates, and writes them with CHAMADE_COUNTS=write.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("idle.json")
COUNTS: dict[str, float] = json.loads(FILE.read_text())

Resource = Mapping[str, Any]

INSIGHTS = {"AWS::ECS::Cluster": 8, "AWS::ECS::TaskDefinition": 6, "AWS::ECS::Service": 11}
"""Metrics of Container Insights for each (CloudWatch pricing, example of Container Insights for
ECS)."""
DETAILED_METRICS = 7
"""Metrics of an EC2 instance with detailed monitoring (CloudWatch pricing)."""
BALANCER_ZONES = 2


def counts(resources: Iterable[Resource]) -> dict[str, float]:
    """Return how much of each priced thing all templates together hold."""
    every = list(resources)
    found: Counter[str] = Counter()
    metrics: set[tuple[str, str]] = set()
    for resource in every:
        type_, about = resource["Type"], resource.get("Properties", {})
        found[_KINDS.get(type_, "")] += 1
        found["Container Insights metrics"] += INSIGHTS.get(type_, 0)
        match type_:
            case "AWS::WAFv2::WebACL":
                found["firewall rules"] += len(about["Rules"])
            case "AWS::CloudWatch::Alarm":
                found["alarm metrics"] += _metrics_of(about)
            case "AWS::Logs::MetricFilter":
                for each in about["MetricTransformations"]:
                    metrics.add((each["MetricNamespace"], each["MetricName"]))
            case "AWS::ElasticLoadBalancingV2::LoadBalancer":
                found["public addresses"] += BALANCER_ZONES
            case "AWS::EC2::Instance":
                found["GB of disks"] += sum(
                    each["Ebs"]["VolumeSize"] for each in about["BlockDeviceMappings"]
                )
                found["custom metrics"] += DETAILED_METRICS if about.get("Monitoring") else 0
            case "AWS::ECS::Service" if about.get("LaunchType") == "FARGATE":
                _add_tasks(found, about, every)
    found["custom metrics"] += len(metrics)
    del found[""]
    return dict(sorted(found.items()))


_KINDS = {
    "AWS::WAFv2::WebACL": "firewalls",
    "AWS::KMS::Key": "keys",
    "AWS::SecretsManager::Secret": "secrets",
    "AWS::EC2::EIP": "public addresses",
    "AWS::EC2::Instance": "gateways",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "balancers",
    "AWS::CloudWatch::Dashboard": "dashboards",
}


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """Return the metrics of an alarm: each that its expression uses is paid for."""
    return sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1


def _add_tasks(found: Counter[str], service: Mapping[str, Any], every: list[Resource]) -> None:
    part = service["ServiceName"].rpartition("-")[2]
    sizes = [
        each["Properties"] for each in every
        if each["Type"] == "AWS::ECS::TaskDefinition"
        and "FARGATE" in each["Properties"].get("RequiresCompatibilities", [])
        and each["Properties"]["ContainerDefinitions"][0]["Name"] == part
    ]  # fmt: skip
    (size,) = sizes
    tasks = service["DesiredCount"]
    found["tasks"] += tasks
    found["public addresses"] += tasks
    found["processors of tasks"] += tasks * int(size["Cpu"]) // 1024
    found["GB of tasks"] += tasks * int(size["Memory"]) // 1024


def terms(of: Mapping[str, float], prices: Mapping[str, Any], hours: float) -> dict[str, float]:
    """Return USD of a month, by what is paid for. The first term is the relays'."""
    return {
        "two relays": hours
        * (
            of["processors of tasks"] * prices["fargate_vcpu_hour"]
            + of["GB of tasks"] * prices["fargate_gb_hour"]
        ),
        "gateway": of["gateways"] * hours * prices["gateway_instance_hour"]
        + of["GB of disks"] * prices["disk_gb_month"],
        "balancer": of["balancers"] * hours * prices["balancer_hour"],
        "firewalls": of["firewalls"] * prices["firewall_acl_month"]
        + of["firewall rules"] * prices["firewall_rule_month"],
        "addresses": of["public addresses"] * hours * prices["public_ipv4_hour"],
        "keys and secrets": of["keys"] * prices["key_month"]
        + of["secrets"] * prices["secret_month"],
        "metrics": (of["custom metrics"] + of["Container Insights metrics"])
        * prices["metric_month"],
        "alarms and dashboard": of["alarm metrics"] * prices["alarm_metric_month"]
        + of["dashboards"] * prices["dashboard_month"],
    }
