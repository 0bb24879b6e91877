"""The functions of `app.py`, the API in front of them, the state machines, the stream, the
sweep.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import environment, package
from infra.api_front import ApiFront
from infra.data_stack import DataStack, used_secrets
from infra.events import event_delivery, sweep_schedule
from infra.firewall_rules import STAGE
from infra.lambda_package import TrimmedChalice
from infra.log_groups import log_group, log_key
from infra.parameters import publish
from infra.recordings import COMPOSER
from infra.roles import roles
from infra.settings import FUNCTIONS, OF_CHALICE, Settings
from infra.state_machines import MACHINES, machine_arn, state_machine

TIMEOUTS = {
    "webhook_handler": 29,
    "api_handler": 29,
    "expire_ring": 25,
    "sweep": 300,
    "fan_out_events": 60,
    "deliver_event": 50,
    "compose_recording": 900,
}
"""Seconds. API Gateway waits 29. The state machines give their tasks 30 and 60, so that a function
times out before its task does. A delivery may take 15, and the table 23 at its slowest. A recording
of a day takes minutes."""


class ApplicationStack(cdk.Stack):
    """The functions and everything else that the table's data passes through."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, data: DataStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        self.settings, self.data = settings, data
        self.key: kms.Key = log_key(self, settings)
        self.groups: dict[str, logs.LogGroup] = {
            name: log_group(self, name, settings, self.key) for name in FUNCTIONS
        }
        # By name: references would be circular, since machines and functions name each other.
        self.arns = {name: machine_arn(self, settings, name) for name in MACHINES}
        self.chalice = self._functions()
        for name, machine in MACHINES.items():
            function = self.function_arn(machine.function)
            state_machine(self, name, settings, function, self.key)
        self.lost_batches = event_delivery(
            self, data, self._resource("fan_out_events"), self.roles["fan_out_events"]
        )
        sweep_schedule(self, self._resource("sweep"), self.function_arn("sweep"))
        self.front = ApiFront(self, "Front", settings, self._sam("RestAPI"), self.key)
        publish(self, settings, self._names())
        self._outputs()

    def _functions(self) -> TrimmedChalice:
        """Return the result of `chalice package`, each function with a role of its own."""
        self.roles = roles(self, self.data, self.groups, self.arns)
        configured = {
            name: {"manage_iam_role": False, "iam_role_arn": self.roles[name].role_arn}
            for name in OF_CHALICE
        }
        shared = {
            "xray": True,
            "api_gateway_endpoint_type": "REGIONAL",
            "api_gateway_stage": STAGE,
            "environment_variables": environment.application(
                self.settings,
                table=self.data.table.table_name,
                vault_key=self.data.vault_key.key_arn,
                machines=self.arns,
                secrets={
                    name: self.data.secrets[name].secret_arn
                    for name in used_secrets(self.settings, "api_handler")
                },
            ),
        }
        with package.staged(self.node.path, configured) as source:
            made = TrimmedChalice(self, "Chalice", source_dir=str(source), stage_config=shared)
        for name in FUNCTIONS:
            function = made.get_resource(_logical_id(name))
            for property_, value in self._properties(name).items():
                function.add_property_override(property_, value)
            for secret in self._not_read(name):
                function.add_property_deletion_override(f"Environment.Variables.{secret}_ARN")
        return made

    def _properties(self, name: str) -> dict[str, Any]:
        """Return the properties that are specific to a function."""
        sizes = self.settings.sizes
        memory = sizes.api_memory_mb if name.endswith("_handler") else sizes.task_memory_mb
        reserved = sizes.reserved_concurrency.get(name)
        return {
            "Role": self.roles[name].role_arn,
            "Timeout": TIMEOUTS[name],
            "MemorySize": memory,
            **({"FunctionName": self.settings.composer} if name == COMPOSER else {}),
            "LoggingConfig": {"LogGroup": self.groups[name].log_group_name},
            **({"ReservedConcurrentExecutions": reserved} if reserved else {}),
        }

    def _not_read(self, name: str) -> set[str]:
        """Return the secrets that the API's function reads and this one does not: a process fetches
        all that its environment names."""
        of_api = used_secrets(self.settings, "api_handler")
        return set(of_api) - set(used_secrets(self.settings, name))

    def function_arn(self, name: str) -> str:
        """Return the ARN of a function of `app.py`."""
        return self._resource(name).get_att("Arn").to_string()

    def _resource(self, name: str) -> cdk.CfnResource:
        return self._sam(_logical_id(name))

    def _sam(self, logical_id: str) -> cdk.CfnResource:
        return self.chalice.get_resource(logical_id)

    def _names(self) -> dict[str, str]:
        """Return the names of the resources that the alarms look at
        (infra/monitored_resources.py)."""
        return {
            **{f"function-{name}": self._resource(name).ref for name in FUNCTIONS},
            "lost-batches": self.lost_batches.queue_name,
            "api-certificate": self.front.certificate,
        }

    def _outputs(self) -> None:
        facts = {
            "ApiUrl": f"https://{self.settings.api_host}",
            "DashboardUrl": f"https://{self.settings.api_host}/dashboard",
            "TableName": self.data.table.table_name,
            "RingStateMachine": self.arns["ring"],
            "DeliveryStateMachine": self.arns["delivery"],
            "VaultKey": self.data.vault_key.key_arn,
            # chamade-admin --function: it has the application's settings (docs/operations.md).
            "SettingsOfFunction": self._resource("sweep").ref,
        }
        for name, value in facts.items():
            cdk.CfnOutput(self, name, value=value)


def _logical_id(function: str) -> str:
    """Return Chalice's name of the function in its template."""
    if function == "api_handler":
        return "APIHandler"
    return "".join(part.capitalize() for part in function.split("_"))
