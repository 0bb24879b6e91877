"""Certificates and DNS records: made in the domain's zone, if the settings name it; else made by
hand, as the stacks' outputs say (docs/aws.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from constructs import Construct

from infra.settings import Settings


def certificate(scope: Construct, settings: Settings, hosts: Sequence[str]) -> str:
    """Return the ARN of a certificate for `hosts`: the operator's, or a new one.

    Without a zone the deployment waits for a new certificate until somebody has put into the DNS
    the records that the console shows under the certificate.
    """
    if settings.certificate_arn:
        return settings.certificate_arn
    made = acm.Certificate(
        scope,
        "Certificate",
        domain_name=hosts[0],
        subject_alternative_names=list(hosts[1:]) or None,
        validation=acm.CertificateValidation.from_dns(_zone(scope, settings)),
    )
    return made.certificate_arn


def record_for_api(scope: Construct, settings: Settings, name: apigateway.CfnDomainName) -> None:
    """Point the API's name at API Gateway."""
    record(
        scope,
        settings,
        settings.api_host,
        target=name.attr_regional_domain_name,
        zone=name.attr_regional_hosted_zone_id,
    )


def record(scope: Construct, settings: Settings, host: str, *, target: str, zone: str) -> None:
    """Point `host` at the AWS name `target`, whose own zone is `zone`. Without a zone of ours,
    write an output that says which record to make.
    """
    id_ = host.partition(".")[0].capitalize()
    if not settings.hosted_zone_id:
        cdk.CfnOutput(
            cdk.Stack.of(scope), f"{id_}Record", value=target, description=f"CNAME of {host}"
        )
        return
    route53.CfnRecordSet(
        scope,
        f"{id_}Record",
        hosted_zone_id=settings.hosted_zone_id,
        name=host,
        type="A",
        alias_target=route53.CfnRecordSet.AliasTargetProperty(dns_name=target, hosted_zone_id=zone),
    )


def _zone(scope: Construct, settings: Settings) -> route53.IHostedZone | None:
    if not settings.hosted_zone_id:
        return None
    return route53.HostedZone.from_hosted_zone_attributes(
        scope, "Zone", hosted_zone_id=settings.hosted_zone_id, zone_name=settings.domain
    )
