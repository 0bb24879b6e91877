"""Common ground of the services of relay, gateway and voice hosts: network, container, health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.balancer import Balancer
from infra.data_stack import DataStack, task_secret
from infra.images import image
from infra.lint import ANY, allow
from infra.settings import Settings


@dataclass(frozen=True)
class Ground:
    """The network, cluster and balancer of all services."""

    settings: Settings
    data: DataStack
    cluster: ecs.Cluster
    balancer: Balancer


class MediaService(Construct):
    """A service of one container, named `part`, behind the balancer at `port`."""

    part: str
    port: int
    door: int | None = None
    """A second port, of what is for the application and other tasks only."""
    targets: elb.ApplicationTargetGroup

    def __init__(self, scope: cdk.Stack, id_: str, ground: Ground, log: logs.LogGroup) -> None:
        super().__init__(scope, id_)
        self.settings, self._data, self._log = ground.settings, ground.data, log
        self._cluster, self._balancer = ground.cluster, ground.balancer

    def _container(
        self,
        task: ecs.TaskDefinition,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        **more: Any,
    ) -> None:
        """Add the part's container. `secrets`: variable -> the name of the secret in it."""
        task.add_container(
            self.part,
            image=image(self.part),
            port_mappings=[
                ecs.PortMapping(container_port=port) for port in (self.port, self.door) if port
            ],
            environment=environment,
            secrets={
                name: task_secret(self, self._data, secret) for name, secret in secrets.items()
            },
            # A call needs two sockets, and a hundred calls are thousands of packets a second.
            ulimits=[ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=65536, hard_limit=65536)],
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=self.part,
                log_group=self._log,
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
            ),
            **more,
        )
        self._data.data_key.grant_decrypt(task.obtain_execution_role())
        allow(
            task, "settings alone; what is secret comes from Secrets Manager", "AwsSolutions-ECS2"
        )
        allow(task, "a login to ECR has no resource that could be named", ANY)

    def _security_group(self, description: str, name: str) -> ec2.SecurityGroup:
        """Make a security group that lets the balancer in. `name`: the part's name, in the
        balancer's own rule."""
        group = ec2.SecurityGroup(self, "Group", vpc=self._cluster.vpc, description=description)
        for port in (self.port, self.door):
            if port:
                group.add_ingress_rule(self._balancer.group, ec2.Port.tcp(port), "the balancer")
                self._balancer.group.add_egress_rule(group, ec2.Port.tcp(port), name)
        return group

    def _balanced(self, target: elb.IApplicationLoadBalancerTarget, *, leave_s: int) -> None:
        """Set `targets` to a target group that holds `target`. A target that leaves has `leave_s`
        seconds to finish the calls that it carries."""
        self.targets = self._target_group("Targets", self.port, target, leave_s)

    def _target_group(
        self, id_: str, port: int, target: elb.IApplicationLoadBalancerTarget, leave_s: int
    ) -> elb.ApplicationTargetGroup:
        return elb.ApplicationTargetGroup(
            self,
            id_,
            vpc=self._cluster.vpc,
            port=port,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[target],
            deregistration_delay=cdk.Duration.seconds(leave_s),
            health_check=elb.HealthCheck(
                path="/healthz",
                port=str(port),
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(3),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
