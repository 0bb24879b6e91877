"""Secrets that the environment names but does not hold: `NAME_ARN` is the ARN of the secret in AWS
Secrets Manager whose value is that of `NAME`. All are fetched in one call, at the first request of
a process.

A process keeps the values. After a secret was changed there, the functions have to be restarted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.failure import Failure

_SUFFIX = "_ARN"
_BATCH = 20
"""Secrets that one call may ask for."""


class SecretsUnavailable(Failure):
    """A secret cannot be fetched; the message says which and why, and holds no secret."""

    code = "unavailable"
    logged_as = "secrets: %s"


def with_secrets(env: Mapping[str, str], client: Callable[[], Any]) -> dict[str, str]:
    """Return `env` with the secrets in place of the names that it has for them. Raises
    SecretsUnavailable.

    `client` makes a boto3 client of Secrets Manager; it is not called if there is nothing to ask.
    """
    settings = dict(env)
    arns = {
        name.removesuffix(_SUFFIX): settings.pop(name)
        for name in env
        if name.startswith("CHAMADE_") and name.endswith(_SUFFIX)
    }
    values = _fetch(sorted(set(arns.values())), client) if arns else {}
    return settings | {name: values[arn] for name, arn in arns.items()}


def _fetch(arns: list[str], client: Callable[[], Any]) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    secrets_manager = client()
    found: dict[str, str] = {}
    for first in range(0, len(arns), _BATCH):
        batch = arns[first : first + _BATCH]
        try:
            answer = secrets_manager.batch_get_secret_value(SecretIdList=batch)
        except (BotoCoreError, ClientError) as error:
            raise SecretsUnavailable(f"Secrets Manager: {_why(error)}") from None
        found |= {each["ARN"]: each["SecretString"] for each in answer["SecretValues"]}
    if missing := [arn for arn in arns if arn not in found]:
        raise SecretsUnavailable(f"Secrets Manager has no value of {', '.join(missing)}")
    return found


def _why(error: Exception) -> str:
    """Return the kind of an error in a word: the service's own text may name what was asked for,
    but never a value.
    """
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return code or type(error).__name__
