"""The composition root: turns the configuration into stores, providers and `Ports`, once a process.

AWS clients are made here, at the first request and not at import (see tests/unit/test_imports.py).
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from chalicelib import config as configuration
from chalicelib.providers.outgoing_http import GuardedPoster
from chalicelib.providers.test_calls import TestCalls
from chalicelib.providers.trunk_host import GatewayTrunkHost
from chalicelib.providers.twilio import TwilioProvider
from chalicelib.services.ports import Ports
from chalicelib.store.accounts import AccountStore
from chalicelib.store.calls import CallStore
from chalicelib.store.courier import Courier
from chalicelib.store.deliveries import DeliveryStore
from chalicelib.store.dialling import DiallingStore
from chalicelib.store.dids import DidStore
from chalicelib.store.endpoints import EndpointStore
from chalicelib.store.events import EventStore
from chalicelib.store.idempotency import IdempotencyStore
from chalicelib.store.lines import LineStore
from chalicelib.store.rate_limits import RateLimitStore
from chalicelib.store.ring_timer import RingTimer
from chalicelib.store.secrets import with_secrets
from chalicelib.store.table import Table
from chalicelib.store.trunk_limits import TrunkLimits
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.vault import KeyFileVault, KmsVault, Vault, Vaults
from wire.rotation import accepted

if TYPE_CHECKING:
    from botocore.config import Config as AwsConfig

MAX_CONNECTIONS = 50
"""Connections to AWS: one is enough in Lambda, the local server answers many requests at once."""


@functools.cache
def config() -> configuration.Config:
    """The process's settings. SecretsUnavailable: those that are kept elsewhere cannot be had."""
    return configuration.from_environment(with_secrets(os.environ, _secrets_client))


@functools.cache
def ports() -> Ports:
    """The process's stores and providers."""
    import boto3

    settings, aws = config(), _aws()
    table = Table(boto3.client("dynamodb", config=aws), settings.table)
    dids = DidStore(table)
    executions = boto3.client("stepfunctions", config=aws)
    return Ports(
        accounts=AccountStore(table),
        calls=CallStore(table),
        deliveries=DeliveryStore(table),
        dialling=DiallingStore(table),
        endpoints=EndpointStore(table),
        events=EventStore(table),
        idempotency=IdempotencyStore(table),
        lines=LineStore(table),
        rate_limits=RateLimitStore(table),
        dids=dids,
        trunks=TrunkStore(table, dids),
        trunk_limits=TrunkLimits(table),
        timer=RingTimer(executions, settings.ring_state_machine),
        courier=Courier(executions, settings.delivery_state_machine),
        poster=GuardedPoster(private=settings.allow_private_webhooks),
        providers={account.name: TwilioProvider(account) for account in settings.accounts},
        now=lambda: time.time_ns() // 1_000_000,
        pause=time.sleep,
        token_secret=settings.token_secret,
        agent_token_secret=settings.agent_token_secret,
        relay_url=settings.relay_url,
        vault=_vault(settings, aws),
        trunk_host=next(
            (GatewayTrunkHost(each) for each in settings.accounts if each.name == "gateway"), None
        ),
        test_calls=_test_calls(settings),
        twilio_sip_domain=settings.twilio_sip_domain,
        private_trunks=settings.allow_private_trunks,
        private_webhooks=settings.allow_private_webhooks,
        sign_up_open=settings.sign_up_open,
    )


def _aws() -> AwsConfig:
    from botocore.config import Config as AwsConfig

    return AwsConfig(
        max_pool_connections=MAX_CONNECTIONS,
        connect_timeout=2,
        read_timeout=4,
        # 23 s with all pauses: API Gateway gives up after 29, and then nobody is told why.
        retries={"mode": "standard", "total_max_attempts": 4},
    )


def _secrets_client() -> Any:
    import boto3

    return boto3.client("secretsmanager", config=_aws())


def _test_calls(settings: configuration.Config) -> TestCalls | None:
    url, secret = settings.gateway_socket_url, settings.gateway_control_secret
    return TestCalls(url, secret) if url and secret else None


def _vault(settings: configuration.Config, aws: AwsConfig) -> Vault | None:
    if settings.kms_key_id:
        import boto3

        def client() -> Any:
            return boto3.client("kms", config=aws)

        return Vaults([KmsVault(client, each) for each in accepted(settings.kms_key_id)])
    files = accepted(settings.key_file)
    return Vaults([KeyFileVault(each) for each in files]) if files else None
