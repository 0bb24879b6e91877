"""The resources that are monitored, and the metric of each alarm and graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.alarms import TRUNKS_AT_LEAST, Alarm
from infra.parameters import NONE, of_gateway, published
from infra.settings import FUNCTIONS, Settings
from infra.state_machines import MACHINES, machine_arn

_MANY = 10
"""Reserved executions from which on their use is watched."""


@dataclass(frozen=True)
class MonitoredResources:
    """The names of the parts that AWS uses in the dimensions of its own metrics."""

    settings: Settings
    functions: Mapping[str, str]
    """Function of `app.py` -> its name in Lambda."""
    machines: Mapping[str, str]
    """ring, delivery -> ARN."""
    queue: str
    balancer: str
    """The balancer's full name, app/…"""
    relay_targets: str
    """The target group's full name, targetgroup/…"""
    gateway_targets: Sequence[str]
    """Of each gateway; none without SIP."""
    voice_targets: str
    gateway_instances: Sequence[str]
    """The id of each gateway's EC2 instance."""
    api: str
    """The API's name."""
    api_certificate: str
    media_certificate: str
    """ARNs; the same if the operator brought one."""

    @classmethod
    def of(cls, stack: cdk.Stack, settings: Settings) -> MonitoredResources:
        """Return the resources that the other stacks have published, for alarms of `stack`."""

        def name(of: str) -> str:
            return published(stack, settings, of)

        gateways = range(1, len(settings.gateway_hosts) + 1)
        return cls(
            settings,
            functions={each: name(f"function-{each}") for each in FUNCTIONS},
            machines={each: machine_arn(stack, settings, each) for each in MACHINES},
            queue=name("lost-batches"),
            balancer=name("balancer"),
            relay_targets=name("relay-targets"),
            gateway_targets=[name(of_gateway(number, "targets")) for number in gateways],
            voice_targets=name("voice-targets") if settings.hosted_voice else NONE,
            gateway_instances=[name(of_gateway(number, "instance")) for number in gateways],
            api=settings.name("api"),
            api_certificate=name("api-certificate"),
            media_certificate=name("media-certificate"),
        )

    def metric(self, alarm: Alarm) -> cloudwatch.IMetric:
        """Return the metric of an alarm."""
        period = cdk.Duration.seconds(alarm.period_s)
        if alarm.source == "log":
            return self.of_logs(alarm.metric, alarm.statistic, period)
        if alarm.source == "function":
            return self.of_functions(alarm.metric, period)
        made = {
            "certificate": self._days_left,
            "firewall": self.of_firewalls,
            "relay answers": self._relay_5xx,
            "trunks": self._trunks_failed,
            "executions": self._executions_used,
            "voice failures": self._voice_failures,
        }.get(alarm.source)
        if made:
            return made(period)
        namespace, dimensions = self._dimensions(alarm)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=alarm.metric,
            dimensions_map=dimensions,
            statistic=alarm.statistic,
            period=period,
        )

    @property
    def reserved(self) -> dict[str, int]:
        """Return the executions reserved for functions that can use them up; the sweep's two are
        none that could run out."""
        given = self.settings.sizes.reserved_concurrency
        return {name: count for name, count in given.items() if count >= _MANY}

    def threshold(self, alarm: Alarm) -> float:
        """Return an alarm's threshold; some of them are multiples of the operator's sizes."""
        sizes = self.settings.sizes
        times = {
            "relay-full": sizes.calls_per_relay,
            "relay-down": sizes.relay_tasks_min,
            "voice-down": sizes.voice_tasks_min,
        }
        return alarm.threshold * times.get(alarm.name, 1)

    def of_logs(
        self, name: str, statistic: str = "Sum", period: cdk.Duration | None = None
    ) -> cloudwatch.Metric:
        """Return a metric of infra/metrics.py."""
        return cloudwatch.Metric(
            namespace=self.settings.metrics,
            metric_name=name,
            statistic=statistic,
            period=period or cdk.Duration.minutes(1),
        )

    def of_functions(self, name: str, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return a metric of all functions together."""
        each = {
            f"{name.lower()}{number}": cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name=name,
                dimensions_map={"FunctionName": function},
                statistic="Sum",
                period=period,
            )
            for number, function in enumerate(self.functions.values())
        }
        return cloudwatch.MathExpression(
            expression=" + ".join(f"FILL({id_}, 0)" for id_ in each),
            using_metrics=each,
            label=name,
            period=period,
        )

    def _relay_5xx(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return the 5xx of relays, and those of the balancer, which has no relay then."""
        balancer = {"LoadBalancer": self.balancer}
        each = {
            "relays": self._sum(
                "HTTPCode_Target_5XX_Count", {**balancer, "TargetGroup": self.relay_targets}, period
            ),
            "balancer": self._sum("HTTPCode_ELB_503_Count", balancer, period),
        }
        return cloudwatch.MathExpression(
            expression="FILL(relays, 0) + FILL(balancer, 0)",
            using_metrics=each,
            label="5xx",
            period=period,
        )

    @staticmethod
    def _sum(name: str, dimensions: dict[str, str], period: cdk.Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            dimensions_map=dimensions,
            statistic="Sum",
            period=period,
        )

    def _trunks_failed(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return the percentage of trunks that have failed; 0 if they are only a few."""
        each = {
            "failed": self.of_logs("TrunksFailed", "Maximum", period),
            "registered": self.of_logs("TrunksRegistered", "Maximum", period),
        }
        return cloudwatch.MathExpression(
            expression=(
                f"IF(failed >= {TRUNKS_AT_LEAST}, 100 * failed / (failed + FILL(registered, 0)), 0)"
            ),
            using_metrics=each,
            label="% failed",
            period=period,
        )

    def _voice_failures(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return the sentences that could not be spoken, and those that could not be heard."""
        each = {
            "unspoken": self.of_logs("VoiceUnspoken", "Sum", period),
            "unheard": self.of_logs("VoiceUnheard", "Sum", period),
        }
        return cloudwatch.MathExpression(
            expression="FILL(unspoken, 0) + FILL(unheard, 0)",
            using_metrics=each,
            label="failed",
            period=period,
        )

    def _executions_used(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return how much of its reserved executions the function uses that uses most, in
        percent."""
        each = {
            f"used{number}": cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name="ConcurrentExecutions",
                dimensions_map={"FunctionName": self.functions[name]},
                statistic="Maximum",
                period=period,
            )
            for number, name in enumerate(self.reserved)
        }
        shares = ", ".join(
            f"100 * FILL({id_}, 0) / {count}"
            for id_, count in zip(each, self.reserved.values(), strict=True)
        )
        return cloudwatch.MathExpression(
            expression=f"MAX([{shares}])", using_metrics=each, label="% used", period=period
        )

    def _days_left(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return the days that are left of the certificate that expires first."""
        each = {
            part: cloudwatch.Metric(
                namespace="AWS/CertificateManager",
                metric_name="DaysToExpiry",
                dimensions_map={"CertificateArn": arn},
                statistic="Minimum",
                period=period,
            )
            for part, arn in (("api", self.api_certificate), ("media", self.media_certificate))
        }
        return cloudwatch.MathExpression(
            expression="MIN([api, media])", using_metrics=each, label="days left", period=period
        )

    def each_function(self, name: str, period: cdk.Duration) -> list[cloudwatch.Metric]:
        """Return a metric of each function, at its highest."""
        return [
            cloudwatch.Metric(
                namespace="AWS/Lambda",
                metric_name=name,
                dimensions_map={"FunctionName": function},
                statistic="Maximum",
                period=period,
                label=part,
            )
            for part, function in self.functions.items()
        ]

    def of_firewalls(self, period: cdk.Duration) -> cloudwatch.IMetric:
        """Return the requests that both firewalls blocked."""
        each = {
            part: cloudwatch.Metric(
                namespace="AWS/WAFV2",
                metric_name="BlockedRequests",
                dimensions_map={
                    "WebACL": self.settings.name(part),
                    "Region": cdk.Aws.REGION,
                    "Rule": "ALL",
                },
                statistic="Sum",
                period=period,
            )
            for part in ("api", "media")
        }
        return cloudwatch.MathExpression(
            expression="FILL(api, 0) + FILL(media, 0)",
            using_metrics=each,
            label="blocked",
            period=period,
        )

    def _dimensions(self, alarm: Alarm) -> tuple[str, dict[str, str]]:
        balancer = {"LoadBalancer": self.balancer}
        which = alarm.gateway - 1
        if alarm.source == "gateway":
            return "AWS/ApplicationELB", {**balancer, "TargetGroup": self.gateway_targets[which]}
        if alarm.source == "machine":
            return "AWS/EC2", {"InstanceId": self.gateway_instances[which]}
        return {
            "api": ("AWS/ApiGateway", {"ApiName": self.api}),
            "balancer": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.relay_targets}),
            "voice": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.voice_targets}),
            "account": ("AWS/Logs", {}),  # all groups together
            "stream": ("AWS/Lambda", {"FunctionName": self.functions["fan_out_events"]}),
            "sweep": ("AWS/Lambda", {"FunctionName": self.functions["sweep"]}),
            "queue": ("AWS/SQS", {"QueueName": self.queue}),
            "ring": ("AWS/States", {"StateMachineArn": self.machines["ring"]}),
            "delivery": ("AWS/States", {"StateMachineArn": self.machines["delivery"]}),
        }[alarm.source]
