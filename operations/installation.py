"""The choice of the installation, and of its credentials: find the application's settings.

The first of these that is given is used:

    --function NAME, CHAMADE_FUNCTION   a Lambda function's environment (the operator's own
                                        credentials of AWS open it, and its secrets)
    CHAMADE_TABLE and the others        the environment itself
    --stack FILE                        `stack.json` of the stack on this machine: its engine has
                                        the functions, too
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import bootstrap
from chalicelib.config import Config
from chalicelib.services.dependencies import Dependencies

LOCAL_FUNCTION = "chamade-sweep"
STACK_FILE = Path(os.environ.get("CHAMADE_STATE_DIR", ".local")) / "stack.json"


class NoInstallation(Exception):
    """No installation was named, or the named one was not found; the message says what to do."""


@dataclass(frozen=True)
class Installation:
    """An installation: the application's environment with its secrets, and the access to AWS.
    `carrier_url` leads to the carrier that a stack on this machine has."""

    env: Mapping[str, str]
    carrier_url: str | None = None

    @property
    def local(self) -> bool:
        """Return whether AWS is an engine on one machine."""
        return "AWS_ENDPOINT_URL" in self.env

    def enter(self) -> None:
        """Give this process the installation's environment, from now on."""
        os.environ.update(self.env)
        bootstrap.config.cache_clear()
        bootstrap.dependencies.cache_clear()

    @property
    def config(self) -> Config:
        """Return the application's settings. Raises BadConfig."""
        self.enter()
        return bootstrap.config()

    @property
    def deps(self) -> Dependencies:
        """Return the application's stores and providers. Raises BadConfig."""
        self.enter()
        return bootstrap.dependencies()

    def client(self, service: str) -> Any:
        """Return a client of an AWS service."""
        return _client(service, self.env)


def find(function: str | None, stack: Path) -> Installation:
    """Find the installation to use. Raises NoInstallation."""
    function = function or os.environ.get("CHAMADE_FUNCTION")
    if function:
        return Installation(_of_function(function, os.environ))
    if os.environ.get("CHAMADE_TABLE"):
        names = ("CHAMADE_", "AWS_")
        return Installation({k: v for k, v in os.environ.items() if k.startswith(names)})
    return of_stack(stack)


def of_stack(stack: Path) -> Installation:
    """Return the stack that runs on this machine. Raises NoInstallation."""
    try:
        described = json.loads(stack.read_text())
        engine = described["aws_url"]
    except (OSError, ValueError, KeyError):
        raise NoInstallation(
            f"{stack} describes no running stack. Start it (make run), or name an installation: "
            "--function NAME of the application in AWS, or its CHAMADE_… settings."
        ) from None
    aws = {
        "AWS_ENDPOINT_URL": engine,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    env = {**_of_function(LOCAL_FUNCTION, aws), **aws}
    return Installation(env, described.get("carrier_url"))


def _of_function(name: str, env: Mapping[str, str]) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = _client("lambda", env).get_function_configuration(FunctionName=name)
    except (BotoCoreError, ClientError) as error:
        raise NoInstallation(f"the settings of function {name} cannot be read: {error}") from None
    return dict(found.get("Environment", {}).get("Variables", {}))


def _client(service: str, env: Mapping[str, str]) -> Any:
    import boto3
    from botocore.config import Config as AwsConfig

    make: Any = boto3.client
    return make(
        service,
        endpoint_url=env.get("AWS_ENDPOINT_URL"),
        region_name=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION"),
        aws_access_key_id=env.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=env.get("AWS_SESSION_TOKEN"),
        config=AwsConfig(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
    )
