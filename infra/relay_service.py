"""The media relay on Fargate: a process for each vCPU of a task, at least one task in each zone.

While a task carries calls it holds ECS's protection (relay/network/ecs_task_protection.py), so that
tasks end late. Calls that are left when one ends go on at another (docs/architecture.md, Media).
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from infra import environment
from infra.fargate_service import DRAIN_S, STOP_S, FargateService
from infra.lint import allow, resource
from infra.media_service import Ground
from infra.metrics import RELAY_CALLS


class RelayService(FargateService):
    """The relay's task, service and scaling."""

    part, port, door = "relay", 8702, environment.DOOR_PORT

    def __init__(self, scope: cdk.Stack, id_: str, ground: Ground, log: logs.LogGroup) -> None:
        super().__init__(scope, id_, ground, log)
        sizes = self.settings.sizes
        task = self._task(
            sizes.relay_cpu,
            sizes.relay_memory_mb,
            environment.relay(self.settings, drain_s=DRAIN_S),
            "CHAMADE_CONTROL_SECRET",
        )
        self.group = self._relays()
        self.service = self._service(task, self.group, sizes.relay_tasks_min)
        self._allow_protection(task)
        self._forwarded()
        self._scaling(
            self.service,
            sizes.relay_tasks_min,
            sizes.relay_tasks_max,
            RELAY_CALLS,
            sizes.calls_per_relay,
        )

    def _relays(self) -> ec2.SecurityGroup:
        group = self._security_group("Relays: out, to the API and to agents", "relays")
        # A task that gets an agent's socket for another task's call pipes it to that task.
        group.add_ingress_rule(group, ec2.Port.tcp(self.port), "other relays")
        # And one that gets a command for it passes the command on.
        group.add_ingress_rule(group, ec2.Port.tcp(self.door), "commands of other relays")
        # With several processes in a task each is reached at ports of its own.
        processes = self.settings.sizes.relay_processes
        if processes > 1:
            first = environment.PRIVATE_PORT
            own = ec2.Port.tcp_range(first, first + 2 * processes - 1)
            group.add_ingress_rule(group, own, "processes of other relays")
        return group

    def _allow_protection(self, task: ecs.FargateTaskDefinition) -> None:
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
