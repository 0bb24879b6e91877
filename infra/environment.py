"""What each part is told by its environment in AWS; local/environment.py is the same for one
machine. Secrets are not in here: functions are told where they are, tasks are given them by ECS.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings import Settings

COUNTS_S = "30"
"""How often relay and gateway log their counts: metrics, and so the scaling, are made of those."""

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
    """The functions' environment. `machines`: ring and delivery -> ARN; `secrets`: variable -> ARN
    of the secret that is its value (chalicelib/store/secrets.py fetches it).
    """
    return {
        "CHAMADE_TABLE": table,
        "CHAMADE_PUBLIC_URL": f"https://{settings.api_host}",
        "CHAMADE_RELAY_URL": f"wss://{settings.relay_host}",
        "CHAMADE_RING_STATE_MACHINE": machines["ring"],
        "CHAMADE_DELIVERY_STATE_MACHINE": machines["delivery"],
        "CHAMADE_KMS_KEY_ID": vault_key,
        "CHAMADE_SIGN_UP": settings.sign_up,
        "CHAMADE_LOG_LEVEL": "INFO",
        **_twilio(settings),
        **_gateway(settings),
        **{f"{variable}_ARN": arn for variable, arn in secrets.items()},
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
    }


def relay(settings: Settings, *, drain_s: int) -> dict[str, str]:
    """The relay's, beside what its image sets. `RELAY_URL` follows from the task's host name."""
    return {
        "CHAMADE_CONTROL_URL": f"https://{settings.api_host}",
        "RELAY_PUBLIC_URL": f"wss://{settings.relay_host}",
        "RELAY_DRAIN_S": str(drain_s),
        "RELAY_COUNTS_S": COUNTS_S,
    }


def gateway(settings: Settings, *, public_ip: str) -> dict[str, str]:
    """The gateway's and its SIP edge's, beside what their image sets."""
    webhooks = f"https://{settings.api_host}/webhooks/gateway"
    return {
        "GATEWAY_ACCOUNT_SID": settings.gateway_account_sid,
        "GATEWAY_VOICE_URL": f"{webhooks}/voice",
        "GATEWAY_STATUS_URL": f"{webhooks}/status",
        "GATEWAY_CONTROL_URL": f"https://{settings.api_host}",
        "GATEWAY_ID": settings.name("gateway"),
        "GATEWAY_COUNTS_S": COUNTS_S,
        "EDGE_PUBLIC_IP": public_ip,
    }
