"""The media relay on Fargate: a process for each vCPU of a task, at least one task in each zone.

A call survives the end of its relay (docs/architecture.md, Media), so scaling in and deploying may
end tasks. They end late and gently: while a task carries calls it holds ECS's protection
(relay/network/ecs_task_protection.py); when it ends, the balancer sends it nothing new, and it
drains on SIGTERM.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from infra import environment
from infra.lint import allow, resource
from infra.media_service import Ground, MediaService
from infra.metrics import RELAY_CALLS

STOP_S = 120
"""Seconds from SIGTERM to SIGKILL: Fargate's longest."""
DRAIN_S = 100
"""Seconds of `STOP_S` in which the relay waits for calls to end; in the rest it hands over those
that are left."""


class RelayService(MediaService):
    """The relay's task, service and scaling."""

    part, port, door = "relay", 8702, environment.DOOR_PORT

    def __init__(self, scope: cdk.Stack, id_: str, ground: Ground, log: logs.LogGroup) -> None:
        super().__init__(scope, id_, ground, log)
        self.service = self._service(self._task())
        self._forwarded()
        self._scaling()

    def _task(self) -> ecs.FargateTaskDefinition:
        sizes = self.settings.sizes
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=sizes.relay_cpu,
            memory_limit_mib=sizes.relay_memory_mb,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self._container(
            task,
            environment.relay(self.settings, drain_s=DRAIN_S),
            {"CHAMADE_CONTROL_SECRET": "CHAMADE_CONTROL_SECRET"},
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(STOP_S),
        )
        return task

    def _service(self, task: ecs.FargateTaskDefinition) -> ecs.FargateService:
        self.group = self._security_group("Relays: out, to the API and to agents", "relays")
        # A task that gets an agent's socket for another task's call pipes it to that task.
        self.group.add_ingress_rule(self.group, ec2.Port.tcp(self.port), "other relays")
        # And one that gets a command for it passes the command on.
        self.group.add_ingress_rule(self.group, ec2.Port.tcp(self.door), "other relays' commands")
        # With several processes in a task each is reached at ports of its own.
        processes = self.settings.sizes.relay_processes
        if processes > 1:
            first = environment.PRIVATE_PORT
            own = ec2.Port.tcp_range(first, first + 2 * processes - 1)
            self.group.add_ingress_rule(self.group, own, "other relays' processes")
        service = ecs.FargateService(
            self,
            "Service",
            cluster=self._cluster,
            task_definition=task,
            service_name=self.settings.name("relay"),
            desired_count=self.settings.sizes.relay_tasks_min,
            assign_public_ip=True,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[self.group],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=cdk.Duration.seconds(30),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            enable_execute_command=False,
        )
        stack = cdk.Stack.of(self)
        tasks = stack.format_arn(
            service="ecs", resource="task", resource_name=f"{self.settings.name('media')}/*"
        )
        task.add_to_task_role_policy(
            iam.PolicyStatement(
                actions=["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], resources=[tasks]
            )
        )
        allow(task, "a task cannot know its own id beforehand", resource(tasks, stack))
        return service

    def _forwarded(self) -> None:
        self._balanced(self.service, leave_s=STOP_S)
        # Any task can take an agent's audio: choose the least busy one.
        self.targets.set_attribute("load_balancing.algorithm.type", "least_outstanding_requests")
        self._balancer.forward(
            "RelayRule", self.settings.relay_host, ["/media/*", "/healthz"], self.targets
        )
        door = self.service.load_balancer_target(container_name=self.part, container_port=self.door)
        commanded = self._target_group("Doors", self.door, door, STOP_S)
        self._balancer.forward("DoorRule", self.settings.relay_host, ["/door/*"], commanded)

    def _scaling(self) -> None:
        sizes = self.settings.sizes
        count = self.service.auto_scale_task_count(
            min_capacity=sizes.relay_tasks_min, max_capacity=sizes.relay_tasks_max
        )
        # Calls do not move to a new task: so scale out at once, and scale in slowly.
        patience = {
            "scale_out_cooldown": cdk.Duration.seconds(60),
            "scale_in_cooldown": cdk.Duration.minutes(10),
        }
        count.scale_to_track_custom_metric(
            "Calls",
            metric=cloudwatch.Metric(
                namespace=self.settings.metrics,
                metric_name=RELAY_CALLS,
                statistic="Average",  # of the tasks' lines, so calls in each task
                period=cdk.Duration.minutes(1),
            ),
            target_value=sizes.calls_per_relay,
            **patience,
        )
        count.scale_on_cpu_utilization("Cpu", target_utilization_percent=60, **patience)
