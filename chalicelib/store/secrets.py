"""Secrets that the environment does not hold but names: `NAME_ARN` says which secret of AWS Secrets
Manager is the value of `NAME`. All of them come in one call, at the first request of a process.

A process keeps what it got. After a secret was changed there, the functions have to start anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_SUFFIX = "_ARN"
_BATCH = 20
"""Secrets that one call may ask for."""


class SecretsUnavailable(Exception):
    """A secret cannot be had; the message says which and why, and holds none."""


def with_secrets(env: Mapping[str, str], client: Callable[[], Any]) -> dict[str, str]:
    """`env` with the secrets that it names in the place of their names. SecretsUnavailable.

    `client` makes a boto3 client of Secrets Manager; it is not called if there is nothing to ask.
    """
    told = dict(env)
    arns = {
        name.removesuffix(_SUFFIX): told.pop(name)
        for name in env
        if name.startswith("CHAMADE_") and name.endswith(_SUFFIX)
    }
    values = _fetch(sorted(set(arns.values())), client) if arns else {}
    return told | {name: values[arn] for name, arn in arns.items()}


def _fetch(arns: list[str], client: Callable[[], Any]) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    asked = client()
    found: dict[str, str] = {}
    for first in range(0, len(arns), _BATCH):
        some = arns[first : first + _BATCH]
        try:
            answer = asked.batch_get_secret_value(SecretIdList=some)
        except (BotoCoreError, ClientError) as error:
            raise SecretsUnavailable(f"Secrets Manager: {_why(error)}") from None
        found |= {each["ARN"]: each["SecretString"] for each in answer["SecretValues"]}
    if missing := [arn for arn in arns if arn not in found]:
        raise SecretsUnavailable(f"Secrets Manager has no value of {', '.join(missing)}")
    return found


def _why(error: Exception) -> str:
    """In a word: the service's own text may name what was asked for, but never a value."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return code or type(error).__name__
