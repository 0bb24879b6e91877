"""Voice hosts on Fargate: they hear and speak for agents without audio, with Transcribe and Polly.

The application asks for places through the balancer, signed. A host answers with its own address,
at which relays connect to it within the network; if it is lost, they come to another one through
the balancer. A call survives the end of its host (docs/architecture.md, Hosted calls), so scaling
in and deploying may end tasks.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from infra import environment
from infra.lint import ANY, allow
from infra.media_service import Ground, MediaService
from infra.metrics import VOICE_CALLS

STOP_S = 120
"""Seconds from SIGTERM to SIGKILL: Fargate's longest."""
DRAIN_S = 100
"""Seconds of `STOP_S` in which a host waits for its calls to end; then they go on at another one.
"""
FULL = 0.6
"""Share of the places at which another host is started: the balancer asks one host for a place, not
all of them, so each needs some that are free."""
_SPEAKS_AND_HEARS = (
    "polly:DescribeVoices",
    "polly:SynthesizeSpeech",
    "transcribe:StartStreamTranscriptionWebSocket",
)


class VoiceService(MediaService):
    """The voice host's task, service and scaling."""

    part, port = "voice", 8705

    def __init__(
        self,
        scope: cdk.Stack,
        id_: str,
        ground: Ground,
        log: logs.LogGroup,
        relays: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, id_, ground, log)
        group = self._security_group("Voice hosts: out, to the API and to AWS", "voice hosts")
        group.add_ingress_rule(relays, ec2.Port.tcp(self.port), "relays")
        self.service = self._service(self._task(), group)
        self._balanced(self.service, leave_s=STOP_S)
        self._balancer.forward(
            "VoiceRule", self.settings.voice_host, ["/v1/*", "/healthz"], self.targets
        )
        self._scaling()

    def _task(self) -> ecs.FargateTaskDefinition:
        sizes = self.settings.sizes
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=sizes.voice_cpu,
            memory_limit_mib=sizes.voice_memory_mb,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self._container(
            task,
            environment.voice(self.settings, drain_s=DRAIN_S),
            {"CHAMADE_VOICE_SECRET": "CHAMADE_VOICE_SECRET"},
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(STOP_S),
        )
        task.add_to_task_role_policy(
            iam.PolicyStatement(actions=list(_SPEAKS_AND_HEARS), resources=["*"])
        )
        allow(task, "voices and streams of speech have no resources that could be named", ANY)
        return task

    def _service(
        self, task: ecs.FargateTaskDefinition, group: ec2.SecurityGroup
    ) -> ecs.FargateService:
        return ecs.FargateService(
            self,
            "Service",
            cluster=self._cluster,
            task_definition=task,
            service_name=self.settings.name("voice"),
            desired_count=self.settings.sizes.voice_tasks_min,
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

    def _scaling(self) -> None:
        sizes = self.settings.sizes
        count = self.service.auto_scale_task_count(
            min_capacity=sizes.voice_tasks_min, max_capacity=sizes.voice_tasks_max
        )
        patience = {
            "scale_out_cooldown": cdk.Duration.seconds(60),
            "scale_in_cooldown": cdk.Duration.minutes(10),
        }
        count.scale_to_track_custom_metric(
            "Calls",
            metric=cloudwatch.Metric(
                namespace=self.settings.metrics,
                metric_name=VOICE_CALLS,
                statistic="Average",  # of the tasks' lines, so calls in each task
                period=cdk.Duration.minutes(1),
            ),
            target_value=FULL * sizes.calls_per_voice_host,
            **patience,
        )
        count.scale_on_cpu_utilization("Cpu", target_utilization_percent=60, **patience)
