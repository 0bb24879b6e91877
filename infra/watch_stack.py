"""What a person looks at."""
from __future__ import annotations
from typing import Any
import aws_cdk as cdk
from constructs import Construct
from infra.settings import Settings


class WatchStack(cdk.Stack):
    """Dashboard, alarms, queries."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
