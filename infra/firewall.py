"""Web firewalls (AWS WAF) before the API and before the balancer: AWS's own rules, and a limit of
requests an address (firewall_rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.firewall_rules import COUNTED, RATE_PER_FIVE_MINUTES, SIGNED


@dataclass(frozen=True)
class Firewall:
    """A web ACL of this installation."""

    acl: waf.CfnWebACL

    def protect(self, scope: Construct, id_: str, arn: str) -> None:
        """Put it before an API's stage or a load balancer."""
        waf.CfnWebACLAssociation(
            scope, f"{id_}Firewall", resource_arn=arn, web_acl_arn=self.acl.attr_arn
        )


def firewall(
    scope: Construct, id_: str, name: str, managed: Sequence[str], key: kms.IKey
) -> Firewall:
    """A firewall with AWS's rule sets `managed` and the limit of an address."""
    rules = [_rate(0), *(_managed(rule, place) for place, rule in enumerate(managed, 1))]
    acl = waf.CfnWebACL(
        scope,
        id_,
        name=name,
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        rules=rules,
        visibility_config=_seen(name),
    )
    log = logs.LogGroup(
        scope,
        f"{id_}Log",
        log_group_name=f"aws-waf-logs-{name}",  # WAF wants this beginning
        retention=logs.RetentionDays.ONE_MONTH,
        encryption_key=key,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    waf.CfnLoggingConfiguration(
        scope,
        f"{id_}Logging",
        resource_arn=acl.attr_arn,
        # Without the ":*" that the log group's own ARN ends with: WAF refuses that.
        log_destination_configs=[
            cdk.Stack.of(scope).format_arn(
                service="logs",
                resource="log-group",
                resource_name=log.log_group_name,
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            )
        ],
        logging_filter={
            "DefaultBehavior": "DROP",
            "Filters": [
                {
                    "Behavior": "KEEP",
                    "Requirement": "MEETS_ANY",
                    "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
                }
            ],
        },
        redacted_fields=[
            waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
            for header in ("authorization", "x-api-key", "cookie")
        ]
        + [waf.CfnLoggingConfiguration.FieldToMatchProperty(query_string={})],
    )
    return Firewall(acl)


def _managed(name: str, place: int) -> waf.CfnWebACL.RuleProperty:
    common = name == "AWSManagedRulesCommonRuleSet"
    count = waf.CfnWebACL.RuleActionProperty(count={})
    overrides = [
        waf.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in COUNTED
    ]
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=place,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=name, rule_action_overrides=overrides if common else None
            )
        ),
        visibility_config=_seen(name),
    )


def _rate(place: int) -> waf.CfnWebACL.RuleProperty:
    signed = [_begins_with(path) for path in SIGNED]
    neither = waf.CfnWebACL.StatementProperty(
        not_statement=waf.CfnWebACL.NotStatementProperty(
            statement=waf.CfnWebACL.StatementProperty(
                or_statement=waf.CfnWebACL.OrStatementProperty(statements=signed)
            )
        )
    )
    return waf.CfnWebACL.RuleProperty(
        name="RequestsOfAnAddress",
        priority=place,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=RATE_PER_FIVE_MINUTES,
                scope_down_statement=neither,
            )
        ),
        visibility_config=_seen("RequestsOfAnAddress"),
    )


def _begins_with(path: str) -> waf.CfnWebACL.StatementProperty:
    return waf.CfnWebACL.StatementProperty(
        byte_match_statement=waf.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="STARTS_WITH",
            search_string=path,
            text_transformations=[
                waf.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
            ],
        )
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    # Samples would show headers, and API keys in them, to whoever may read the console.
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
