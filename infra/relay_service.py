"""The media relay on Fargate: one process a task, a task in each zone at least.

A call survives its relay (docs/architecture.md, Media), so scaling in and deploying may end tasks;
they do it late and softly. While a task carries calls it holds ECS's protection
(relay/protection.py); when it goes, the balancer sends it nothing new, and SIGTERM lets it drain.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import environment
from infra.balancer import Balancer
from infra.data_stack import DataStack, task_secret
from infra.images import image
from infra.lint import ANY, allow, resource
from infra.metrics import RELAY_CALLS
from infra.settings import Settings

PORT = 8702
STOP_S = 120
"""Seconds from SIGTERM to SIGKILL: Fargate's longest."""
DRAIN_S = 100
"""Of those the relay waits for calls; the rest is for farewells."""


class RelayService(Construct):
    """Task, service, scaling."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        scope: cdk.Stack,
        id_: str,
        settings: Settings,
        data: DataStack,
        cluster: ecs.Cluster,
        balancer: Balancer,
        log: logs.LogGroup,
    ) -> None:
        super().__init__(scope, id_)
        self.settings, self._data, self._log = settings, data, log
        self._cluster = cluster
        self.service = self._service(self._task(), balancer)
        self._targets(balancer)
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
        task.add_container(
            "relay",
            image=image("relay"),
            port_mappings=[ecs.PortMapping(container_port=PORT)],
            environment=environment.relay(self.settings, drain_s=DRAIN_S),
            secrets={
                "CHAMADE_CONTROL_SECRET": task_secret(self, self._data, "CHAMADE_CONTROL_SECRET")
            },
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(STOP_S),
            # Some hundred calls are thousands of packets a second, and sockets two a call.
            ulimits=[ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=65536, hard_limit=65536)],
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix="relay", log_group=self._log, mode=ecs.AwsLogDriverMode.NON_BLOCKING
            ),
        )
        self._data.data_key.grant_decrypt(task.obtain_execution_role())
        allow(
            task, "URLs and seconds; what is secret comes from Secrets Manager", "AwsSolutions-ECS2"
        )
        allow(task, "a login to ECR has no resource that could be named", ANY)
        return task

    def _service(self, task: ecs.FargateTaskDefinition, balancer: Balancer) -> ecs.FargateService:
        self.group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=self._cluster.vpc,
            description="Relays: out, to the API and to agents",
        )
        self.group.add_ingress_rule(balancer.group, ec2.Port.tcp(PORT), "the balancer")
        # An agent's socket that came to another task than its call's is piped to that.
        self.group.add_ingress_rule(self.group, ec2.Port.tcp(PORT), "other relays")
        balancer.group.add_egress_rule(self.group, ec2.Port.tcp(PORT), "relays")
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

    def _targets(self, balancer: Balancer) -> None:
        self.targets = elb.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=self._cluster.vpc,
            port=PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[self.service],
            deregistration_delay=cdk.Duration.seconds(STOP_S),
            health_check=elb.HealthCheck(
                path="/healthz",
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(3),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
        # Audio of an agent is as good on any task: the least busy one.
        self.targets.set_attribute("load_balancing.algorithm.type", "least_outstanding_requests")
        balancer.forward(
            "RelayRule", self.settings.relay_host, ["/media/*", "/healthz"], self.targets
        )

    def _scaling(self) -> None:
        sizes = self.settings.sizes
        count = self.service.auto_scale_task_count(
            min_capacity=sizes.relay_tasks_min, max_capacity=sizes.relay_tasks_max
        )
        # Calls do not move when a task is added: out at once, in with patience.
        patience = {
            "scale_out_cooldown": cdk.Duration.seconds(60),
            "scale_in_cooldown": cdk.Duration.minutes(10),
        }
        count.scale_to_track_custom_metric(
            "Calls",
            metric=cloudwatch.Metric(
                namespace=self.settings.metrics,
                metric_name=RELAY_CALLS,
                statistic="Average",  # over the tasks' lines: calls a task
                period=cdk.Duration.minutes(1),
            ),
            target_value=sizes.calls_per_relay,
            **patience,
        )
        count.scale_on_cpu_utilization("Cpu", target_utilization_percent=60, **patience)
