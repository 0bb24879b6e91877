"""The data that must not be lost: table, recordings, keys, secrets. All of it outlives its
stack.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import recordings
from infra.lint import allow
from infra.removal import KEPT
from infra.settings import Settings
from infra.table import table

OF_TWILIO = ("CHAMADE_TWILIO_AUTH_TOKEN",)
OF_GATEWAY = ("CHAMADE_GATEWAY_AUTH_TOKEN", "CHAMADE_GATEWAY_CONTROL_SECRET")
OF_VOICE = ("CHAMADE_VOICE_SECRET",)
SECRETS = (
    "CHAMADE_TOKEN_SECRET",
    # Agent tokens have a secret of their own: owners put the tokens into their agents by hand, so a
    # new CHAMADE_TOKEN_SECRET must not change them.
    "CHAMADE_AGENT_TOKEN_SECRET",
    "CHAMADE_CONTROL_SECRET",
    *OF_TWILIO,
    *OF_GATEWAY,
    *OF_VOICE,
)
"""Variables of the application whose values are secrets. All of them are made, also those of a
provider that the settings lack: with it they would come and go, and a secret that is kept under its
name could not be made again."""

OF_REQUESTS = ("CHAMADE_AGENT_TOKEN_SECRET", "CHAMADE_GATEWAY_CONTROL_SECRET")
"""Secrets that only check requests: of agents, and of the gateway about trunks."""
ANSWERS_NO_REQUEST = ("expire_ring", "fan_out_events", "deliver_event", "compose_recording")
"""Functions that need none of these. The sweep answers no request either, but chamade-admin works
with its settings."""


class DataStack(cdk.Stack):
    """The table, its encryption key, the recordings, the key that seals trunks' passwords, and the
    secrets.
    """

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.settings = settings
        self.data_key = self._key("DataKey", "data", "the table, its stream and the secrets")
        self.vault_key = self._key("VaultKey", "vault", "trunks' passwords and webhook secrets")
        self.tables: list[dynamodb.Table] = [
            table(self, self._table_id(name), name, self.data_key) for name in settings.table_names
        ]
        self.table: dynamodb.Table = self.tables[-1]
        self.recordings = recordings.bucket(self, settings)
        self.secrets = {name: self._secret(name) for name in SECRETS}
        # Protected from deletion, CloudFormation could not remove it if anything after it failed.
        for each in self.tables:
            each.node.add_dependency(
                self.data_key, self.vault_key, self.recordings, *self.secrets.values()
            )
        self._exports()

    def _exports(self) -> None:
        """Export what the other stacks import, whatever the settings are. The CDK exports only what
        is imported, so changed settings would remove an export that a deployed stack still imports
        (infra/parameters.py). Those of a table that was restored from stay, until the application
        is deployed with the restored one.
        """
        for each in self.tables:
            for value in (each.table_arn, each.table_name, each.table_stream_arn):
                self.export_value(value)
        for key in (self.data_key, self.vault_key):
            self.export_value(key.key_arn)
        for secret in self.secrets.values():
            self.export_value(secret.secret_arn)

    def _table_id(self, name: str) -> str:
        """Return a logical id that no other table ever has: CloudFormation would replace that
        one."""
        if name == self.settings.name("calls"):
            return "Table"
        return f"Table{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def _key(self, id_: str, name: str, encrypts: str) -> kms.Key:
        key = kms.Key(
            self,
            id_,
            alias=f"alias/{self.settings.name(name)}",
            description=f"Chamade {self.settings.stage}: {encrypts}",
            enable_key_rotation=True,
            pending_window=cdk.Duration.days(30),
            removal_policy=KEPT,
        )
        # The next installation finds the key by it (infra/kept.py).
        alias = cast("kms.Alias", key.node.find_child("Alias"))
        alias.apply_removal_policy(KEPT)
        return key

    def _secret(self, variable: str) -> secretsmanager.Secret:
        """Make a secret whose value AWS generates, so that nobody sees it. The operator replaces
        the value of Twilio's."""
        name = variable.removeprefix("CHAMADE_").lower().replace("_", "-")
        made = secretsmanager.Secret(
            self,
            "".join(part.capitalize() for part in name.split("-")),
            secret_name=f"chamade/{self.settings.stage}/{name}",
            description=f"{variable} of Chamade {self.settings.stage}",
            encryption_key=self.data_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=64
            ),
            removal_policy=KEPT,
        )
        allow(
            made,
            "two parts hold each secret, and have to be started anew together: by the operator",
            "AwsSolutions-SMG4",
        )
        return made


def task_secret(scope: Construct, data: DataStack, variable: str) -> ecs.Secret:
    """Return a secret for a task of another stack; grant the task's execution role `data_key`, too.

    Granting it through the secret would write that role into the key's own policy, and each stack
    would then depend on the other.
    """
    id_ = "".join(part.capitalize() for part in variable.lower().split("_"))
    arn = data.secrets[variable].secret_arn
    known = secretsmanager.Secret.from_secret_complete_arn(scope, id_, arn)
    return ecs.Secret.from_secrets_manager(known)


def used_secrets(settings: Settings, function: str) -> list[str]:
    """Return the secrets that a function of this installation reads: those of the providers and
    voice hosts that there are, without what is for requests if it takes none."""
    without = {
        *(() if settings.twilio_account_sid else OF_TWILIO),
        *(() if settings.sip else OF_GATEWAY),
        *(() if settings.hosted_voice else OF_VOICE),
        *(OF_REQUESTS if function in ANSWERS_NO_REQUEST else ()),
    }
    return [name for name in SECRETS if name not in without]
