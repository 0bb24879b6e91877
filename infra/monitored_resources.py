"""The resources that are monitored, and the metric of each alarm and graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.alarms import Alarm
from infra.parameters import NONE, published
from infra.settings import FUNCTIONS, Settings
from infra.state_machines import MACHINES, machine_arn


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
    gateway_targets: str
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

        return cls(
            settings,
            functions={each: name(f"function-{each}") for each in FUNCTIONS},
            machines={each: machine_arn(stack, settings, each) for each in MACHINES},
            queue=name("lost-batches"),
            balancer=name("balancer"),
            relay_targets=name("relay-targets"),
            gateway_targets=name("gateway-targets") if settings.sip else NONE,
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
        if alarm.source == "certificate":
            return self._days_left(period)
        if alarm.source == "firewall":
            return self.of_firewalls(period)
        namespace, dimensions = self._dimensions(alarm.source)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=alarm.metric,
            dimensions_map=dimensions,
            statistic=alarm.statistic,
            period=period,
        )

    def threshold(self, alarm: Alarm) -> float:
        """Return an alarm's threshold; two of them are multiples of the operator's sizes."""
        sizes = self.settings.sizes
        times = {"relay-full": sizes.calls_per_relay, "relay-down": sizes.relay_tasks_min}
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

    def _dimensions(self, source: str) -> tuple[str, dict[str, str]]:
        balancer = {"LoadBalancer": self.balancer}
        return {
            "api": ("AWS/ApiGateway", {"ApiName": self.api}),
            "balancer": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.relay_targets}),
            "gateway": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.gateway_targets}),
            "account": ("AWS/Logs", {}),  # all groups together
            "queue": ("AWS/SQS", {"QueueName": self.queue}),
            "ring": ("AWS/States", {"StateMachineArn": self.machines["ring"]}),
            "delivery": ("AWS/States", {"StateMachineArn": self.machines["delivery"]}),
        }[source]
