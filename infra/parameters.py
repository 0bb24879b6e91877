"""Names that one stack tells another by parameters of Systems Manager, not by exports.

An export cannot be removed or changed while a deployed stack imports it, and its importer is
deployed later: turning SIP off, or bringing a certificate, could never be deployed. A parameter may
change at any time; its reader takes the value of the moment when it is deployed itself.
Sources: CloudFormation user guide, "Get exported outputs from a deployed stack", and "Specify
existing resources at runtime with CloudFormation-supplied parameter types" (Systems Manager).
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm

from infra.settings import Settings

NONE = "none"
"""The value of a name that this installation lacks: a parameter cannot be blank."""


def publish(stack: cdk.Stack, settings: Settings, names: Mapping[str, str]) -> None:
    """Make a parameter of each name. The same ones are made whatever the settings are, but for
    those of further gateways."""
    for name, value in names.items():
        words = "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
        ssm.StringParameter(
            stack,
            f"{words}Name",
            parameter_name=settings.parameter(name),
            string_value=value or NONE,
            description=f"For the stack {settings.name('watch')}",
        )


def of_gateway(number: int, what: str) -> str:
    """Return the name of what is told of a gateway. `number` counts from 1."""
    return f"gateway-{what}" if number == 1 else f"gateway-{number}-{what}"


def published(stack: cdk.Stack, settings: Settings, name: str) -> str:
    """Return the value that another stack has published, as it is when `stack` is deployed."""
    return ssm.StringParameter.value_for_string_parameter(stack, settings.parameter(name))
