"""The frame of relays and voice hosts on Fargate: a task, its service, and scaling by calls.

A call survives the end of its task (docs/architecture.md), so scaling in and deploying may end
tasks: the balancer sends them nothing new, and they drain on SIGTERM.
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs

from infra.media_service import MediaService

STOP_S = 120
"""Seconds from SIGTERM to SIGKILL: Fargate's longest."""
DRAIN_S = 100
"""Seconds of `STOP_S` in which a task waits for its calls to end; in the rest it hands over those
that are left."""


class FargateService(MediaService):
    """A service of several equal tasks, each of one process."""

    def _task(
        self, cpu: int, memory_mb: int, environment: Mapping[str, str], secret: str
    ) -> ecs.FargateTaskDefinition:
        """Make the task. `secret`: its variable, and the name of the secret in it."""
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=cpu,
            memory_limit_mib=memory_mb,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self._container(
            task,
            environment,
            {secret: secret},
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(STOP_S),
        )
        return task

    def _service(
        self, task: ecs.FargateTaskDefinition, group: ec2.SecurityGroup, tasks: int
    ) -> ecs.FargateService:
        return ecs.FargateService(
            self,
            "Service",
            cluster=self._cluster,
            task_definition=task,
            service_name=self.settings.name(self.part),
            desired_count=tasks,
            assign_public_ip=True,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[group],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=cdk.Duration.seconds(30),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            enable_execute_command=False,
        )

    def _scaling(
        self, service: ecs.FargateService, least: int, most: int, metric: str, calls: float
    ) -> None:
        """Start another task when `metric`, which tasks log, is beyond `calls` on average."""
        count = service.auto_scale_task_count(min_capacity=least, max_capacity=most)
        # Calls do not move to a new task: so scale out at once, and scale in slowly.
        patience = {
            "scale_out_cooldown": cdk.Duration.seconds(60),
            "scale_in_cooldown": cdk.Duration.minutes(10),
        }
        count.scale_to_track_custom_metric(
            "Calls",
            metric=cloudwatch.Metric(
                namespace=self.settings.metrics,
                metric_name=metric,
                statistic="Average",  # of the tasks' lines, so calls in each task
                period=cdk.Duration.minutes(1),
            ),
            target_value=calls,
            **patience,
        )
        count.scale_on_cpu_utilization("Cpu", target_utilization_percent=60, **patience)
