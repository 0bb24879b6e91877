"""The environment variables of each part in AWS; local/environment.py has those for one machine.
They hold no secrets: functions are told the secrets' ARNs, tasks get the secrets from ECS.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings import Settings

DOOR_PORT = 8703
"""Port of the relays' control door."""
PRIVATE_PORT = 8710
"""First of the ports at which other relays reach a relay process that shares its task: two each."""
COUNTS_S = "30"
"""Seconds between two log lines of counts of relay and gateway. Metrics are made of these lines,
and scaling follows the metrics."""

LEFT_OUT = {
    "CHAMADE_KEY_FILE": "a key in KMS seals instead",
    "CHAMADE_ALLOW_PRIVATE_TRUNKS": "tenants must not reach into the operator's network",
    "CHAMADE_ALLOW_PRIVATE_WEBHOOKS": "the same",
    "CHAMADE_TWILIO_API_URL": "Twilio is where it is",
}
"""Variables of the application that are not set, and why."""


def application(
    settings: Settings,
    *,
    table: str,
    vault_key: str,
    machines: Mapping[str, str],
    secrets: Mapping[str, str],
) -> dict[str, str]:
    """Return the functions' environment. `machines`: ring and delivery -> ARN; `secrets`: variable
    -> ARN of the secret with its value (chalicelib/store/secrets.py fetches it).
    """
    return {
        "CHAMADE_TABLE": table,
        "CHAMADE_PUBLIC_URL": f"https://{settings.api_host}",
        "CHAMADE_RELAY_URL": f"wss://{settings.relay_host}",
        "CHAMADE_RING_STATE_MACHINE": machines["ring"],
        "CHAMADE_DELIVERY_STATE_MACHINE": machines["delivery"],
        "CHAMADE_KMS_KEY_ID": vault_key,
        "CHAMADE_SIGN_UP": settings.sign_up,
        # A carrier that knows our address alone would bill its customer for any tenant's calls.
        "CHAMADE_TRUNKS_BY_ADDRESS": "closed" if settings.sign_up == "open" else "open",
        "CHAMADE_TRIES_AT_ONCE": str(settings.sizes.tries_at_once),
        "CHAMADE_LOG_LEVEL": "INFO",
        **_twilio(settings),
        **_gateway(settings),
        "CHAMADE_RELAY_DOOR_URL": f"https://{settings.relay_host}",
        **_voice(settings),
        "CHAMADE_RECORDING_BUCKET": settings.recording_bucket,
        "CHAMADE_RECORDING_FUNCTION": settings.composer,
        "CHAMADE_RECORDING_DAYS": str(settings.sizes.recording_days),
        "CHAMADE_RECORDING_GB": str(settings.sizes.recording_gb),
        **({"CHAMADE_SIP_HOSTS": ",".join(settings.sip_hosts)} if settings.sip_hosts else {}),
        **{f"{variable}_ARN": arn for variable, arn in secrets.items()},
        **settings.variables.application,
    }


def _twilio(settings: Settings) -> dict[str, str]:
    if not settings.twilio_account_sid:
        return {}
    domain = settings.twilio_sip_domain
    return {
        "CHAMADE_TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        **({"CHAMADE_TWILIO_SIP_DOMAIN": domain} if domain else {}),
    }


def _gateway(settings: Settings) -> dict[str, str]:
    if not settings.sip:
        return {}
    return {
        "CHAMADE_GATEWAY_ACCOUNT_SID": settings.gateway_account_sid,
        "CHAMADE_GATEWAY_API_URL": f"https://{settings.gateway_host}",
        "CHAMADE_GATEWAY_SOCKET_URL": f"wss://{settings.gateway_host}",
        "CHAMADE_GATEWAYS": "many" if settings.sizes.gateways > 1 else "one",
    }


def _voice(settings: Settings) -> dict[str, str]:
    if not settings.hosted_voice:
        return {}
    return {"CHAMADE_VOICE_URLS": f"https://{settings.voice_host}"}


def relay(settings: Settings, *, drain_s: int) -> dict[str, str]:
    """Return the relay's environment, without what its image sets. `RELAY_URL` and
    `RELAY_DOOR_URL` follow from the task's host name."""
    return {
        "CHAMADE_CONTROL_URL": f"https://{settings.api_host}",
        "RELAY_PUBLIC_URL": f"wss://{settings.relay_host}",
        "RELAY_BEHIND_PROXY": "1",
        "RELAY_DOOR_PORT": str(DOOR_PORT),
        "RELAY_PROCESSES": str(settings.sizes.relay_processes),
        "RELAY_PRIVATE_PORT": str(PRIVATE_PORT),
        "RELAY_DRAIN_S": str(drain_s),
        "RELAY_COUNTS_S": COUNTS_S,
        **settings.variables.relay,
    }


def voice(settings: Settings, *, drain_s: int) -> dict[str, str]:
    """Return the voice host's environment, without what its image sets. `VOICE_URL` follows from
    the task's host name."""
    return {
        "CHAMADE_CONTROL_URL": f"https://{settings.api_host}",
        "VOICE_MAX_CALLS": str(settings.sizes.calls_per_voice_host),
        "VOICE_DRAIN_S": str(drain_s),
        "VOICE_COUNTS_S": COUNTS_S,
        **settings.variables.voice,
    }


def gateway(settings: Settings, *, public_ip: str, number: int = 1) -> dict[str, str]:
    """Return the environment of a gateway and its SIP edge, without what their image sets. `number`
    counts gateways from 1."""
    webhooks = f"https://{settings.api_host}/webhooks/gateway"
    url = f"https://{settings.gateway_hosts[number - 1]}"
    return {
        "GATEWAY_ACCOUNT_SID": settings.gateway_account_sid,
        "GATEWAY_VOICE_URL": f"{webhooks}/voice",
        "GATEWAY_STATUS_URL": f"{webhooks}/status",
        "GATEWAY_CONTROL_URL": f"https://{settings.api_host}",
        "GATEWAY_ID": settings.name("gateway" if number == 1 else f"gateway-{number}"),
        **({"GATEWAY_API_URL": url} if settings.sizes.gateways > 1 else {}),
        "GATEWAY_COUNTS_S": COUNTS_S,
        "GATEWAY_PROCESSES": str(settings.sizes.gateway_processes),
        "EDGE_PUBLIC_IP": public_ip,
        **({"EDGE_PEERS": ",".join(map(str, settings.sip_peers))} if settings.sip_peers else {}),
        **settings.variables.gateway,
    }
