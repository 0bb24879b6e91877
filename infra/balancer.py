"""Forwards HTTPS and WebSockets to relays, voice hosts and gateways, by the name of the host.

It forwards only the paths that are meant for the public; their `/metrics` is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.dns import certificate, record
from infra.firewall import firewall
from infra.firewall_rules import MEDIA_RULES
from infra.lint import allow
from infra.settings import Settings

IDLE_S = 120
"""Seconds without a byte after which a connection is closed. The relay pings every 20."""

_VALUES = 5
"""Values that the conditions of a rule may have: the host's name and four paths."""


class Balancer(Construct):
    """The load balancer and its listener, to which services add themselves."""

    def __init__(
        self, scope: cdk.Stack, id_: str, settings: Settings, vpc: ec2.Vpc, key: kms.IKey
    ) -> None:
        super().__init__(scope, id_)
        self.settings, self._priority = settings, 0
        self.group = ec2.SecurityGroup(
            self, "Group", vpc=vpc, description="The balancer", allow_all_outbound=False
        )
        self.group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "everybody, by TLS")
        allow(self.group, "providers, agents and browsers are anywhere", "AwsSolutions-EC23")
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Alb",
            vpc=vpc,
            internet_facing=True,
            security_group=self.group,
            idle_timeout=cdk.Duration.seconds(IDLE_S),
            drop_invalid_header_fields=True,
            # Not protected: a first deployment that fails after it could not be rolled back.
            deletion_protection=False,
        )
        self._access_log(scope)
        hosts = settings.media_hosts
        self.certificate = certificate(self, settings, hosts)
        self.listener = self.balancer.add_listener(
            "Tls",
            port=443,
            open=False,  # the security group above says who may connect
            certificates=[elb.ListenerCertificate.from_arn(self.certificate)],
            ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
            default_action=elb.ListenerAction.fixed_response(404),
        )
        for host in hosts:
            record(
                self,
                settings,
                host,
                target=self.balancer.load_balancer_dns_name,
                zone=self.balancer.load_balancer_canonical_hosted_zone_id,
            )
        acl = firewall(self, "Firewall", settings.name("media"), MEDIA_RULES, key)
        acl.protect(self, "Media", self.balancer.load_balancer_arn)

    def forward(
        self, id_: str, host: str, paths: list[str], group: elb.ApplicationTargetGroup
    ) -> None:
        """Forward requests for these paths of `host` to `group`."""
        for number, some in enumerate(_parts(paths, _VALUES - 1)):
            self._priority += 10
            self.listener.add_target_groups(
                f"{id_}{number or ''}",
                target_groups=[group],
                priority=self._priority,
                conditions=[
                    elb.ListenerCondition.host_headers([host]),
                    elb.ListenerCondition.path_patterns(some),
                ],
            )

    def _access_log(self, stack: cdk.Stack) -> None:
        """Log handshakes and Calls REST, kept for a month. The log holds media tokens, which open a
        stream only together with the provider's signature, and only for minutes.
        """
        bucket = s3.Bucket(
            self,
            "AccessLog",
            encryption=s3.BucketEncryption.S3_MANAGED,  # the one kind that balancers can write with
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
            # It has no name of ours, and no roll-back could remove it: the balancer writes to it.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        allow(bucket, "it holds an access log; it needs none of its own", "AwsSolutions-S1")
        self.balancer.set_attribute("access_logs.s3.enabled", "true")
        self.balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
        self.balancer.set_attribute("access_logs.s3.prefix", "balancer")
        # Region and account may be unknown here: then name the service's principal, not its
        # account's.
        written = bucket.arn_for_objects(f"balancer/AWSLogs/{stack.account}/*")
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[written],
            )
        )
        self.balancer.node.default_child.node.add_dependency(bucket.policy)


def _parts(paths: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(paths), size):
        yield paths[first : first + size]
