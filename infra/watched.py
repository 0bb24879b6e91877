"""The resources that are looked at, and the metric of each alarm and graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.alarms import Alarm
from infra.settings import Settings


@dataclass(frozen=True)
class Watched:
    """What AWS calls the parts, in the dimensions of its own metrics."""

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

    def metric(self, alarm: Alarm) -> cloudwatch.IMetric:
        """What an alarm looks at."""
        period = cdk.Duration.seconds(alarm.period_s)
        if alarm.source == "log":
            return self.of_logs(alarm.metric, alarm.statistic, period)
        if alarm.source == "function":
            return self.of_functions(alarm.metric, period)
        if alarm.source == "certificate":
            return self._days_left(period)
        namespace, dimensions = self._dimensions(alarm.source)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=alarm.metric,
            dimensions_map=dimensions,
            statistic=alarm.statistic,
            period=period,
        )

    def threshold(self, alarm: Alarm) -> float:
        """An alarm's threshold; two of them are multiples of the operator's sizes."""
        sizes = self.settings.sizes
        times = {"relay-full": sizes.calls_per_relay, "relay-down": sizes.relay_tasks_min}
        return alarm.threshold * times.get(alarm.name, 1)

    def of_logs(
        self, name: str, statistic: str = "Sum", period: cdk.Duration | None = None
    ) -> cloudwatch.Metric:
        """One of infra/metrics.py."""
        return cloudwatch.Metric(
            namespace=self.settings.metrics,
            metric_name=name,
            statistic=statistic,
            period=period or cdk.Duration.minutes(1),
        )

    def of_functions(self, name: str, period: cdk.Duration) -> cloudwatch.IMetric:
        """A metric of all functions together."""
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
        """Of the certificate that ends first."""
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

    def _dimensions(self, source: str) -> tuple[str, dict[str, str]]:
        balancer = {"LoadBalancer": self.balancer}
        return {
            "api": ("AWS/ApiGateway", {"ApiName": self.api}),
            "balancer": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.relay_targets}),
            "gateway": ("AWS/ApplicationELB", {**balancer, "TargetGroup": self.gateway_targets}),
            "queue": ("AWS/SQS", {"QueueName": self.queue}),
            "ring": ("AWS/States", {"StateMachineArn": self.machines["ring"]}),
            "delivery": ("AWS/States", {"StateMachineArn": self.machines["delivery"]}),
        }[source]
