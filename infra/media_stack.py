"""Relay, gateway and voice hosts, the network that they are in, the balancer before them.

Two availability zones, public subnets only: tasks connect to the API and to agents anywhere, and
public addresses cost less, and fail less often, than NAT gateways. Security groups say what may
come in.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.balancer import Balancer
from infra.data_stack import DataStack
from infra.gateway_service import GatewayService
from infra.log_groups import log_group, log_key
from infra.media_service import Ground
from infra.parameters import of_gateway, publish
from infra.relay_service import RelayService
from infra.settings import Settings
from infra.voice_service import VoiceService


class MediaStack(cdk.Stack):
    """Relay, gateway, voice hosts and network: everything that audio passes through."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, data: DataStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        self.key = log_key(self, settings)
        vpc = self._network(settings)
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=vpc,
            cluster_name=settings.name("media"),
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        self.balancer = Balancer(self, "Balancer", settings, vpc, self.key)
        ground = Ground(settings, data, self.cluster, self.balancer)
        self.relay = RelayService(self, "Relay", ground, self._log("relay", settings))
        self.gateways = []
        if settings.sip:
            log = self._log("gateway", settings)
            self.gateways = [
                GatewayService(self, f"Gateway{'' if number == 1 else number}", ground, log, number)
                for number in range(1, settings.sizes.gateways + 1)
            ]
        self.voice = None
        if settings.hosted_voice:
            log = self._log("voice", settings)
            self.voice = VoiceService(self, "Voice", ground, log, self.relay.group)
        publish(self, settings, self._names())

    def _names(self) -> dict[str, str]:
        """Return the names of the resources that the alarms look at
        (infra/monitored_resources.py)."""
        gateways = {"gateway-instance": "", "gateway-targets": ""}
        for number, each in enumerate(self.gateways, 1):
            gateways[of_gateway(number, "instance")] = each.instance_id
            gateways[of_gateway(number, "targets")] = each.targets.target_group_full_name
        return {
            **gateways,
            "media-certificate": self.balancer.certificate,
            "balancer": self.balancer.balancer.load_balancer_full_name,
            "relay-targets": self.relay.targets.target_group_full_name,
            "voice-targets": self.voice.targets.target_group_full_name if self.voice else "",
        }

    def _network(self, settings: Settings) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC)
            ],
            restrict_default_security_group=False,  # no resource of ours uses it
            gateway_endpoints={
                # Layers of images come from S3; through this endpoint their traffic is free.
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
        )
        vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(self._log("flows", settings)),
            traffic_type=ec2.FlowLogTrafficType.REJECT,  # ALL writes a line a call and second
        )
        return vpc

    def _log(self, part: str, settings: Settings) -> logs.LogGroup:
        return log_group(self, part, settings, self.key)
