"""Web firewalls (AWS WAF) before the API and before the balancer: AWS's own rules, and limits of
requests an address (firewall_rules.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.firewall_rules import COUNTED, Rate, Rules

_TOO_MANY = "chamade:too-many-requests"
"""The label of requests beyond a limit. A metric counts them; they are not logged, since a flood
would write a line for each request."""


@dataclass(frozen=True)
class Firewall:
    """A web ACL of this installation."""

    acl: waf.CfnWebACL

    def protect(self, scope: Construct, id_: str, arn: str) -> None:
        """Put the firewall before an API's stage or a load balancer."""
        waf.CfnWebACLAssociation(
            scope, f"{id_}Firewall", resource_arn=arn, web_acl_arn=self.acl.attr_arn
        )


def firewall(scope: Construct, id_: str, name: str, rules: Rules, key: kms.IKey) -> Firewall:
    """Make a firewall with AWS's rule groups and both limits of an address."""
    # Limits come first: no other rule is evaluated, or logged, for a request that they refuse.
    limits = [
        _limit("SignedRequestsOfAnAddress", 0, rules.signed_rate, _matches(rules.signed)),
        _limit("RequestsOfAnAddress", 1, rules.rate, _not(_matches(rules.signed))),
    ]
    groups = [_managed(group, place) for place, group in enumerate(rules.managed, len(limits))]
    acl = waf.CfnWebACL(
        scope,
        id_,
        name=name,
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        rules=[*limits, *groups],
        visibility_config=_seen(name),
    )
    _log(scope, id_, name, acl, key)
    return Firewall(acl)


def _log(scope: Construct, id_: str, name: str, acl: waf.CfnWebACL, key: kms.IKey) -> None:
    log = logs.LogGroup(
        scope,
        f"{id_}Log",
        log_group_name=f"aws-waf-logs-{name}",  # WAF wants this beginning
        retention=logs.RetentionDays.ONE_MONTH,
        encryption_key=key,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    label = f"awswaf:{cdk.Stack.of(scope).account}:webacl:{name}:{_TOO_MANY}"
    waf.CfnLoggingConfiguration(
        scope,
        f"{id_}Logging",
        resource_arn=acl.attr_arn,
        # WAF refuses the log group's own ARN, since that ends with ":*".
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
            # The first filter that matches decides.
            "Filters": [
                _logged("DROP", {"LabelNameCondition": {"LabelName": label}}),
                _logged("KEEP", {"ActionCondition": {"Action": "BLOCK"}}),
            ],
        },
        redacted_fields=[
            waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
            for header in ("authorization", "x-api-key", "cookie")
        ]
        + [waf.CfnLoggingConfiguration.FieldToMatchProperty(query_string={})],
    )


def _logged(behaviour: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {"Behavior": behaviour, "Requirement": "MEETS_ANY", "Conditions": [condition]}


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


def _limit(
    name: str, place: int, rate: Rate, scope: waf.CfnWebACL.StatementProperty
) -> waf.CfnWebACL.RuleProperty:
    """Make the rule that blocks an address beyond `rate` of the requests that `scope` matches."""
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=place,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=rate.requests,
                evaluation_window_sec=rate.window_s,
                scope_down_statement=scope,
            )
        ),
        rule_labels=[waf.CfnWebACL.LabelProperty(name=_TOO_MANY)],
        visibility_config=_seen(name),
    )


def _not(statement: waf.CfnWebACL.StatementProperty) -> waf.CfnWebACL.StatementProperty:
    return waf.CfnWebACL.StatementProperty(
        not_statement=waf.CfnWebACL.NotStatementProperty(statement=statement)
    )


def _matches(pattern: str) -> waf.CfnWebACL.StatementProperty:
    """Match the path as the client sent it. With a transformation other spellings would match."""
    return waf.CfnWebACL.StatementProperty(
        regex_match_statement=waf.CfnWebACL.RegexMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(uri_path={}),
            regex_string=pattern,
            text_transformations=[
                waf.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
            ],
        )
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    # Samples would show headers, with API keys, to everybody who may read the console.
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
