"""The front of the functions: the API's name, its throttle, its access log, its firewall, and its
answers to requests that reach none of our routes.
"""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.dns import certificate, record_for_api
from infra.firewall import firewall
from infra.firewall_rules import API_RULES
from infra.lint import allow, managed
from infra.log_groups import log_group
from infra.settings import Settings

ACCESS_LOG = (
    "{"
    '"at":"$context.requestTime",'
    '"request_id":"$context.requestId",'
    '"trace":"$context.xrayTraceId",'
    '"method":"$context.httpMethod",'
    '"route":"$context.resourcePath",'
    '"status":$context.status,'
    '"latency_ms":$context.responseLatency,'
    '"lambda_ms":"$context.integrationLatency",'
    '"source_ip":"$context.identity.sourceIp",'
    '"error":"$context.error.responseType"'
    "}"
)
"""An access log line. It has the route and not the path, since paths hold call ids and numbers. It
has nothing that the client can choose, since API Gateway escapes nothing: not the error's message,
which may quote a header, but its kind. API Gateway writes `-` for what a request has not, so only
status and latency, which every request has, are without quotes: metrics are made of numbers
(API Gateway developer guide, "Variables for access logging")."""

REFUSALS: dict[str, tuple[int | None, str, str]] = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found", "There is nothing at this path."),
    "THROTTLED": (429, "rate_limited", "Too many requests; come again in a second."),
    "REQUEST_TOO_LARGE": (413, "too_large", "At most 256 KiB."),
    "WAF_FILTERED": (403, "refused", "The firewall lets no such request through."),
    "INTEGRATION_TIMEOUT": (504, "timeout", "No answer in time; come again."),
    "INTEGRATION_FAILURE": (502, "unavailable", "Come again in a moment."),
    "DEFAULT_4XX": (None, "bad_request", "The request cannot be served."),
    "DEFAULT_5XX": (None, "internal_error", "Come again in a moment."),
}
"""API Gateway's kind of refusal -> status (None: keep API Gateway's), our code, our message. For
unknown paths API Gateway answers MISSING_AUTHENTICATION_TOKEN, 403."""

_HEADERS = {
    "gatewayresponse.header.Content-Type": "'application/problem+json'",
    "gatewayresponse.header.X-Content-Type-Options": "'nosniff'",
    "gatewayresponse.header.Strict-Transport-Security": "'max-age=31536000'",
}

_STAGE = cdk.Fn.ref("RestAPI.Stage")
"""The API's stage, by the reference that SAM itself uses."""


class ApiFront(Construct):
    """The settings, log and firewall around `RestAPI`, the API that Chalice describes."""

    def __init__(
        self, scope: cdk.Stack, id_: str, settings: Settings, api: cdk.CfnResource, key: kms.IKey
    ) -> None:
        super().__init__(scope, id_)
        self.settings, self.api = settings, api
        self._stage(log_group(self, "access", settings, key).log_group_arn)
        self._answers()
        self._name()
        acl = firewall(self, "Firewall", settings.name("api"), API_RULES, key)
        stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${RestAPI}/stages/"
        acl.protect(self, "Api", cdk.Fn.sub(stage + "${RestAPI.Stage}"))

    def _stage(self, log_arn: str) -> None:
        sizes = self.settings.sizes
        properties: dict[str, Any] = {
            # SAM makes a second stage, called "Stage", unless it is told this.
            "OpenApiVersion": "2.0",
            # Chalice names it after the application: two installations would share their metrics.
            "Name": self.settings.name("api"),
            "DisableExecuteApiEndpoint": True,  # or clients could go round the firewall
            "TracingEnabled": True,
            "AccessLogSetting": {"DestinationArn": log_arn, "Format": ACCESS_LOG},
            "MethodSettings": [
                {
                    "HttpMethod": "*",
                    "ResourcePath": "/*",
                    "MetricsEnabled": True,
                    "ThrottlingRateLimit": sizes.requests_per_s,
                    "ThrottlingBurstLimit": sizes.requests_burst,
                    "LoggingLevel": "OFF",  # its execution log would hold bodies, and keys in them
                    "DataTraceEnabled": False,
                }
            ],
        }
        for name, value in properties.items():
            self.api.add_property_override(name, value)
        self.api.node.add_dependency(self._may_log())

    def _may_log(self) -> apigateway.CfnAccount:
        """Give API Gateway a role to write logs with, in a setting that holds for the whole account
        in this region; return that setting."""
        policy = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        role = iam.Role(
            self,
            "LogRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(policy)],
        )
        allow(role, "the policy that AWS has for this role", managed(policy))
        role.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        account = apigateway.CfnAccount(self, "Account", cloud_watch_role_arn=role.role_arn)
        # Other APIs in this account write their logs with the same role.
        account.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return account

    def _answers(self) -> None:
        """Give API Gateway's own refusals the shape of ours (problem+json), and our headers."""
        answers = {kind: _answer(*refusal) for kind, refusal in REFUSALS.items()}
        # Part of the API's description: separate resources would wait for the next deployment.
        self.api.add_property_override(
            "DefinitionBody.x-amazon-apigateway-gateway-responses", answers
        )

    def _name(self) -> None:
        self.certificate = certificate(self, self.settings, [self.settings.api_host])
        name = apigateway.CfnDomainName(
            self,
            "Name",
            domain_name=self.settings.api_host,
            endpoint_configuration=apigateway.CfnDomainName.EndpointConfigurationProperty(
                types=["REGIONAL"]
            ),
            regional_certificate_arn=self.certificate,
            security_policy="TLS_1_2",
        )
        mapping = apigateway.CfnBasePathMapping(
            self,
            "Mapping",
            domain_name=name.ref,
            rest_api_id=cdk.Fn.ref("RestAPI"),
            stage=_STAGE,
        )
        reason = "the stage is made by SAM, under this name, when the template is deployed"
        allow(mapping, reason, "CloudFormation-Validate::F1020")
        record_for_api(self, self.settings, name)


def _answer(status: int | None, code: str, detail: str) -> dict[str, Any]:
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        **({"status": status} if status else {}),
        "detail": detail,
        "code": code,
    }
    return {
        **({"statusCode": str(status)} if status else {}),
        "responseParameters": _HEADERS,
        "responseTemplates": {"application/json": json.dumps(body)},
    }
