"""Monitoring: metrics of the logs, a dashboard, alarms, saved queries.

No call depends on this stack. It refers to the parts' resources by name, so that it can be changed
or removed without changing their stacks.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra import alarms, metrics, queries
from infra.dashboard import dashboard
from infra.lint import allow
from infra.monitored_resources import MonitoredResources
from infra.settings import Settings


class WatchStack(cdk.Stack):
    """The stack of metrics, dashboard, alarms and saved queries."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        self.settings, self.watched = settings, MonitoredResources.of(self, settings)
        self._metrics()
        topic = self._topic()
        reserved = bool(self.watched.reserved)
        wanted = alarms.of_installation(
            gateways=len(settings.gateway_hosts),
            hosted_voice=settings.hosted_voice,
            reserved=reserved,
        )
        made = [self._alarm(each, topic) for each in wanted]
        dashboard(self, settings, self.watched, made)
        if settings.monthly_budget_usd:
            self._budget()
        for query in queries.of_installation(settings):
            logs.CfnQueryDefinition(
                self,
                f"{query.id}Query",
                name=f"chamade/{settings.stage}/{query.name}",
                query_string=query.text,
                log_group_names=query.groups,
            )

    def _metrics(self) -> None:
        for metric in metrics.of_installation(
            sip=self.settings.sip, hosted_voice=self.settings.hosted_voice
        ):
            for part in metric.parts:
                logs.CfnMetricFilter(
                    self,
                    f"{metric.name}Of{part.title().replace('_', '')}",
                    log_group_name=self.settings.log_group(part),
                    filter_pattern=metric.pattern,
                    metric_transformations=[
                        logs.CfnMetricFilter.MetricTransformationProperty(
                            metric_namespace=self.settings.metrics,
                            metric_name=metric.name,
                            metric_value=metric.value,
                            unit=metric.unit,
                        )
                    ],
                )

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", topic_name=self.settings.name("alarms"), enforce_ssl=True)
        allow(
            topic,
            "names of alarms and numbers; CloudWatch cannot publish to a topic that AWS's own key "
            "encrypts",
            "AwsSolutions-SNS2",
        )
        # Our policy replaces the topic's own, which let the account publish: without this statement
        # no alarm could (SNS developer guide, "Allow CloudWatch alarms to publish").
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        if self.settings.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.settings.alarm_email))
        return topic

    def _budget(self) -> None:
        """Tell the owner when the AWS account's costs of a month reach the budget, whatever caused
        them."""
        limit = budgets.CfnBudget.SpendProperty(amount=self.settings.monthly_budget_usd, unit="USD")
        owner = budgets.CfnBudget.SubscriberProperty(
            address=self.settings.alarm_email, subscription_type="EMAIL"
        )
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self.settings.name("month"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=limit,
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[owner],
                )
                for kind, percent in (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
            ],
        )

    def _alarm(self, alarm: alarms.Alarm, topic: sns.Topic) -> cloudwatch.Alarm:
        below, above = (
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        )
        bad, good = cloudwatch.TreatMissingData.BREACHING, cloudwatch.TreatMissingData.NOT_BREACHING
        made = cloudwatch.Alarm(
            self,
            "".join(part.capitalize() for part in alarm.name.split("-")) + "Alarm",
            alarm_name=self.settings.name(alarm.name),
            alarm_description=f"{alarm.says}. What to do: {alarm.runbook}",
            metric=self.watched.metric(alarm),
            threshold=self.watched.threshold(alarm),
            evaluation_periods=alarm.periods,
            comparison_operator=below if alarm.below else above,
            treat_missing_data=bad if alarm.silence_is_bad else good,
        )
        action = actions.SnsAction(topic)
        made.add_alarm_action(action)
        made.add_ok_action(action)
        return made
