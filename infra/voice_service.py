"""Voice hosts on Fargate: they hear and speak for agents without audio, with Transcribe and Polly.

The application asks for places through the balancer, signed. A host answers with its own address,
at which relays connect to it within the network; if it is lost, they come to another one through
the balancer (docs/architecture.md, Hosted calls).
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from infra import environment
from infra.fargate_service import DRAIN_S, STOP_S, FargateService
from infra.lint import ANY, allow
from infra.media_service import Ground
from infra.metrics import VOICE_CALLS

FULL = 0.6
"""Share of the places at which another host is started: the balancer asks one host for a place, not
all of them, so each needs some that are free."""
_SPEAKS_AND_HEARS = (
    "polly:DescribeVoices",
    "polly:SynthesizeSpeech",
    "transcribe:StartStreamTranscriptionWebSocket",
)


class VoiceService(FargateService):
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
        sizes = self.settings.sizes
        group = self._security_group("Voice hosts: out, to the API and to AWS", "voice hosts")
        group.add_ingress_rule(relays, ec2.Port.tcp(self.port), "relays")
        task = self._task(
            sizes.voice_cpu,
            sizes.voice_memory_mb,
            environment.voice(self.settings, drain_s=DRAIN_S),
            "CHAMADE_VOICE_SECRET",
        )
        task.add_to_task_role_policy(
            iam.PolicyStatement(actions=list(_SPEAKS_AND_HEARS), resources=["*"])
        )
        allow(task, "voices and streams of speech have no resources that could be named", ANY)
        self.service = self._service(task, group, sizes.voice_tasks_min)
        self._balanced(self.service, leave_s=STOP_S)
        self._balancer.forward(
            "VoiceRule", self.settings.voice_host, ["/v1/*", "/healthz"], self.targets
        )
        self._scaling(
            self.service,
            sizes.voice_tasks_min,
            sizes.voice_tasks_max,
            VOICE_CALLS,
            FULL * sizes.calls_per_voice_host,
        )
