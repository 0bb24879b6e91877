"""Make stores, providers and `Dependencies` from the configuration, once in a process.

AWS clients are made here, at the first request and not at import (see tests/unit/test_imports.py).
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

from chalicelib import config as configuration
from chalicelib.domain.gateway_lease import GatewayLease, live
from chalicelib.providers.browser_calls import BrowserCalls
from chalicelib.providers.outgoing_http import GuardedPoster
from chalicelib.providers.trunk_host import GatewayTrunkHost, TrunkHost
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from chalicelib.services.dependencies import (
    Dependencies,
    RecordingStorage,
    Secrets,
    Settings,
    Stores,
    Timers,
)
from chalicelib.store.accounts import AccountStore
from chalicelib.store.call_lines import CallLineStore
from chalicelib.store.call_media import MediaStore
from chalicelib.store.calls import CallStore
from chalicelib.store.clips import ClipStore
from chalicelib.store.deliveries import DeliveryStore
from chalicelib.store.dialling import DiallingStore
from chalicelib.store.dids import DidStore
from chalicelib.store.endpoints import EndpointStore
from chalicelib.store.events import EventStore
from chalicelib.store.gateway_leases import GatewayLeases
from chalicelib.store.idempotency import IdempotencyStore
from chalicelib.store.keypads import KeypadStore
from chalicelib.store.lines import LineStore
from chalicelib.store.places import PlaceStore
from chalicelib.store.rate_limits import RateLimitStore
from chalicelib.store.recordings import RecordingStore
from chalicelib.store.secrets import with_secrets
from chalicelib.store.table import Table
from chalicelib.store.timers import DeliveryScheduler, RingTimer
from chalicelib.store.transcripts import TranscriptStore
from chalicelib.store.trunk_limits import TrunkLimits
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.turned_away import TurnedAwayStore
from chalicelib.store.vault import KeyFileVault, KmsVault, Vault, Vaults
from chalicelib.store.waiting import WaitingStore
from common.rotation import accepted

if TYPE_CHECKING:
    from botocore.config import Config as AwsConfig

    from chalicelib.providers.relay_door import RelayDoor
    from chalicelib.providers.voice_hosts import VoiceHosts

MAX_CONNECTIONS = 50
"""Connections to AWS: one is enough in Lambda, the local server answers many requests at once."""


@functools.cache
def config() -> configuration.Config:
    """Return the process's settings. Raises SecretsUnavailable if its secrets cannot be
    fetched.
    """
    return configuration.from_environment(with_secrets(os.environ, _secrets_client))


@functools.cache
def dependencies() -> Dependencies:
    """Return the process's stores and providers."""
    import boto3

    settings, aws = config(), _aws()
    table = Table(boto3.client("dynamodb", config=aws), settings.table)
    executions = boto3.client("stepfunctions", config=aws)
    all_stores = stores(table)
    return Dependencies(
        stores=all_stores,
        timers=Timers(
            RingTimer(executions, settings.ring_state_machine),
            DeliveryScheduler(executions, settings.delivery_state_machine),
        ),
        providers={each.name: _provider(settings, each, all_stores) for each in settings.accounts},
        poster=GuardedPoster(private=settings.allow_private_webhooks),
        now=_now,
        pause=time.sleep,
        secrets=Secrets(
            settings.token_secret, settings.control_secret, settings.agent_token_secret
        ),
        settings=Settings(
            relay_url=settings.relay_url,
            twilio_sip_domain=settings.twilio_sip_domain,
            private_trunks=settings.allow_private_trunks,
            trunks_by_address=settings.trunks_by_address,
            own_hosts=settings.own_hosts,
            private_webhooks=settings.allow_private_webhooks,
            tries_at_once=settings.tries_at_once,
            many_gateways=settings.many_gateways,
            sign_up_open=settings.sign_up_open,
        ),
        vault=_vault(settings, aws),
        trunk_host=_trunk_host(settings, all_stores),
        test_calls=_test_calls(settings),
        relay_door=_relay_door(settings),
        voice_hosts=_voice_hosts(settings),
        recordings=_recordings(settings),
    )


def stores(table: Table) -> Stores:
    """Return the stores of a table."""
    dids = DidStore(table)
    return Stores(
        accounts=AccountStore(table),
        call_lines=CallLineStore(table),
        calls=CallStore(table),
        media=MediaStore(table),
        clips=ClipStore(table),
        deliveries=DeliveryStore(table),
        dialling=DiallingStore(table),
        dids=dids,
        endpoints=EndpointStore(table),
        events=EventStore(table),
        gateway_leases=GatewayLeases(table),
        idempotency=IdempotencyStore(table),
        keypads=KeypadStore(table),
        lines=LineStore(table),
        places=PlaceStore(table),
        rate_limits=RateLimitStore(table),
        recordings=RecordingStore(table),
        transcripts=TranscriptStore(table),
        trunk_limits=TrunkLimits(table),
        trunks=TrunkStore(table, dids),
        turned_away=TurnedAwayStore(table),
        waiting=WaitingStore(table),
    )


def _now() -> int:
    """Return the time in epoch ms."""
    return time.time_ns() // 1_000_000


def _present(stores: Stores) -> list[GatewayLease]:
    """Return the gateways that are there now."""
    return live(stores.gateway_leases.all(), _now())


def _provider(
    settings: configuration.Config, account: TwilioAccount, stores: Stores
) -> TwilioProvider:
    if account.name == "gateway" and settings.many_gateways:
        from chalicelib.providers.many_gateways import ManyGateways

        return ManyGateways(account, functools.partial(_present, stores))
    return TwilioProvider(account)


def _trunk_host(settings: configuration.Config, stores: Stores) -> TrunkHost | None:
    account = next((each for each in settings.accounts if each.name == "gateway"), None)
    if account is None:
        return None
    if settings.many_gateways:
        return GatewayTrunkHost(account, lambda: [each.url for each in _present(stores)])
    return GatewayTrunkHost(account)


def _aws() -> AwsConfig:
    from botocore.config import Config as AwsConfig

    return AwsConfig(
        max_pool_connections=MAX_CONNECTIONS,
        connect_timeout=2,
        read_timeout=4,
        # 23 s with all pauses: API Gateway gives up after 29 s, with an answer that does not say
        # why.
        retries={"mode": "standard", "total_max_attempts": 4},
    )


def _secrets_client() -> Any:
    import boto3

    return boto3.client("secretsmanager", config=_aws())


def _test_calls(settings: configuration.Config) -> BrowserCalls | None:
    url, secret = settings.gateway_socket_url, settings.gateway_control_secret
    return BrowserCalls(url, secret) if url and secret else None


def _relay_door(settings: configuration.Config) -> RelayDoor | None:
    if not settings.relay_door_url:
        return None
    from chalicelib.providers.relay_door import SignedRelayDoor

    return SignedRelayDoor(settings.relay_door_url, settings.control_secret)


def _voice_hosts(settings: configuration.Config) -> VoiceHosts | None:
    if not settings.voice_urls:
        return None
    from chalicelib.providers.voice_hosts import SignedVoiceHosts

    return SignedVoiceHosts(settings.voice_urls, settings.voice_secret)


def _recordings(settings: configuration.Config) -> RecordingStorage | None:
    if not settings.recording_bucket:
        return None
    from chalicelib.store.objects import Composer, ObjectStore

    return RecordingStorage(
        ObjectStore(_s3_client, settings.recording_bucket),
        Composer(_lambda_client, settings.recording_function),
        settings.recording_days * 24 * 3600 * 1000,
        settings.recording_account_gb * 1_000_000_000,
    )


def _s3_client() -> Any:
    import boto3
    from botocore.config import Config as AwsConfig

    # The local engine has no host name for each bucket; in AWS there is one in each region.
    local = bool(os.environ.get("AWS_ENDPOINT_URL"))
    s3 = AwsConfig(
        signature_version="s3v4", s3={"addressing_style": "path" if local else "virtual"}
    )
    return boto3.client("s3", config=_aws().merge(s3))


def _lambda_client() -> Any:
    import boto3

    return boto3.client("lambda", config=_aws())


def _vault(settings: configuration.Config, aws: AwsConfig) -> Vault | None:
    if settings.kms_key_id:
        import boto3

        def client() -> Any:
            return boto3.client("kms", config=aws)

        return Vaults([KmsVault(client, each) for each in accepted(settings.kms_key_id)])
    files = accepted(settings.key_file)
    return Vaults([KeyFileVault(each) for each in files]) if files else None
