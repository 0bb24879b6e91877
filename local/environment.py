"""The environment variables of each part: what an operator would configure in AWS."""

from __future__ import annotations

import os
from pathlib import Path

from local.credentials import Credentials, key_file
from local.layout import HOST, ROOT, Layout

TABLE = "chamade"
REGION = "us-east-1"
AWS_ACCOUNT = "000000000000"
CARRIER_USERNAME = "demo"
"""The account of our trunk at the carrier; its password is in the credentials."""
TRIES_AT_ONCE = 4
"""Tries of an account's deliveries at a time: the engine has few workers (local/aws.py)."""
GATEWAYS_RTP = (10_000, 4_000)
"""First port of audio of the first of several gateways, and how many each has."""
_ENGINE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_MACHINES = f"arn:aws:states:{REGION}:{AWS_ACCOUNT}:stateMachine"
RECORDING_BUCKET = "chamade-recordings"
RECORDING_FUNCTION = "chamade-compose-recording"
STATE_MACHINE_ARN = f"{_MACHINES}:chamade-ring-timeout"
DELIVERY_MACHINE_ARN = f"{_MACHINES}:chamade-deliver-event"


def aws(layout: Layout) -> dict[str, str]:
    """Return the environment by which boto3 finds the local engine. Its keys are no secrets: the
    engine does not check them."""
    return {
        "AWS_ENDPOINT_URL": layout.aws_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ministack(layout: Layout) -> dict[str, str]:
    """Return the engine's environment: it binds to loopback (its default is every interface) and
    keeps its state. Its MQTT and SFTP listeners, which would be on every interface, are off.
    """
    return {
        **_base(),
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(layout.ports["aws"]),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(layout.state_dir / "aws"),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It checks the signatures of URLs, and of nothing else.
        **{name: value for name, value in aws(layout).items() if name in _ENGINE_KEYS},
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.state_dir / "recordings"),
    }


def application(layout: Layout, credentials: Credentials) -> dict[str, str]:
    """Return the environment of the Lambda functions; the API server's is based on it."""
    return {
        **aws(layout),
        "CHAMADE_TABLE": TABLE,
        "CHAMADE_PUBLIC_URL": layout.api_url,
        "CHAMADE_RELAY_URL": layout.relay_url,
        "CHAMADE_RING_STATE_MACHINE": STATE_MACHINE_ARN,
        "CHAMADE_DELIVERY_STATE_MACHINE": DELIVERY_MACHINE_ARN,
        "CHAMADE_TOKEN_SECRET": credentials.token_secret,
        "CHAMADE_CONTROL_SECRET": credentials.control_secret,
        "CHAMADE_GATEWAY_CONTROL_SECRET": credentials.gateway_control_secret,
        "CHAMADE_RELAY_DOOR_URL": layout.door_url,
        "CHAMADE_VOICE_URLS": ",".join(layout.voice_urls),
        "CHAMADE_VOICE_SECRET": credentials.voice_secret,
        "CHAMADE_RECORDING_BUCKET": RECORDING_BUCKET,
        "CHAMADE_RECORDING_FUNCTION": RECORDING_FUNCTION,
        "CHAMADE_KEY_FILE": str(key_file(layout.state_dir)),
        "CHAMADE_ALLOW_PRIVATE_TRUNKS": "1",  # people first try a PBX on this machine
        "CHAMADE_ALLOW_PRIVATE_WEBHOOKS": "1",  # and a webhook receiver on this machine
        "CHAMADE_TRIES_AT_ONCE": str(TRIES_AT_ONCE),
        "CHAMADE_GATEWAY_ACCOUNT_SID": credentials.provider_account_sid,
        "CHAMADE_GATEWAY_AUTH_TOKEN": credentials.provider_auth_token,
        "CHAMADE_GATEWAY_API_URL": layout.gateway_url,
        "CHAMADE_GATEWAY_SOCKET_URL": layout.gateway_socket_url,
        "CHAMADE_GATEWAYS": "many" if layout.gateways > 1 else "one",
        "CHAMADE_LOG_LEVEL": os.environ.get("CHAMADE_LOG_LEVEL", "INFO"),
        **{name: value for name, value in os.environ.items() if name.startswith("CHAMADE_TWILIO_")},
    }


def api_server(layout: Layout, credentials: Credentials) -> dict[str, str]:
    """Return the environment of the application behind the local HTTP server."""
    return {**_base(), **application(layout, credentials), "PORT": str(layout.ports["api"])}


def relay(layout: Layout, credentials: Credentials) -> dict[str, str]:
    """Return the environment of the media relay."""
    return {
        **_base(),
        "CHAMADE_CONTROL_URL": layout.api_url,
        "CHAMADE_CONTROL_SECRET": credentials.control_secret,
        "RELAY_HOST": HOST,
        "RELAY_PORT": str(layout.ports["relay"]),
        "RELAY_ID": "relay-local",
        "RELAY_URL": layout.relay_url,
        "RELAY_PUBLIC_URL": layout.relay_url,
        "RELAY_DOOR_PORT": str(layout.ports["door"]),
        "RELAY_DOOR_URL": layout.door_url,
        "RELAY_DRAIN_S": "0",
        "RELAY_ALLOW_PRIVATE_AGENTS": "1",  # agents in development run on this machine
    }


def voice(layout: Layout, credentials: Credentials, index: int, models: Path) -> dict[str, str]:
    """Return the environment of a voice host. `models`: the Python that has the local models."""
    host = f"voice-{index + 1}"
    return {
        **_base(),
        # With VOICE_ENGINE=aws it uses AWS itself, as whoever started the stack.
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "CHAMADE_CONTROL_URL": layout.api_url,
        "CHAMADE_VOICE_SECRET": credentials.voice_secret,
        "VOICE_HOST": HOST,
        "VOICE_PORT": str(layout.ports[host]),
        "VOICE_URL": layout.voice_urls[index].replace("http://", "ws://"),
        "VOICE_ID": host,
        "VOICE_DRAIN_S": "0",
        "VOICE_PYTHON": str(models),
    }


def gateway(layout: Layout, credentials: Credentials, name: str = "gateway") -> dict[str, str]:
    """Return the environment of a trunking gateway: every number rings at the local application;
    SIP is on loopback."""
    webhooks = f"{layout.api_url}/webhooks/gateway"
    return {
        **_base(),
        "GATEWAY_HOST": HOST,
        "GATEWAY_PORT": str(layout.ports[name]),
        "GATEWAY_ACCOUNT_SID": credentials.provider_account_sid,
        "GATEWAY_AUTH_TOKEN": credentials.provider_auth_token,
        "GATEWAY_VOICE_URL": f"{webhooks}/voice",
        "GATEWAY_STATUS_URL": f"{webhooks}/status",
        "GATEWAY_CONTROL_URL": layout.api_url,
        "GATEWAY_CONTROL_SECRET": credentials.gateway_control_secret,
        "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
        "GATEWAY_SIP_PORT": str(layout.ports[name.replace("gateway", "sip")]),
        **(_one_of_several(layout, name) if layout.gateways > 1 else {}),
    }


def _one_of_several(layout: Layout, name: str) -> dict[str, str]:
    """Return what tells gateways of one machine apart. The phones have the ports behind theirs."""
    first = GATEWAYS_RTP[0] + list(layout.gateway_urls).index(name) * GATEWAYS_RTP[1]
    return {
        "GATEWAY_ID": name,
        "GATEWAY_API_URL": layout.gateway_urls[name],
        "GATEWAY_RTP_PORTS": f"{first}-{first + GATEWAYS_RTP[1] - 1}",
    }


def carrier(layout: Layout, credentials: Credentials) -> dict[str, str]:
    """Return the environment of the carrier, whose phones log in as those of the gateway do."""
    return {
        **_base(),
        "CARRIER_PORT": str(layout.ports["carrier"]),
        "CARRIER_PHONE_PORT": str(layout.ports["carrier's phones"]),
        "CARRIER_USERNAME": CARRIER_USERNAME,
        "CARRIER_PASSWORD": credentials.carrier_password,
        "CARRIER_ACCOUNT_SID": credentials.provider_account_sid,
        "CARRIER_AUTH_TOKEN": credentials.provider_auth_token,
    }


def _base() -> dict[str, str]:
    """Return the variables of our environment that every process needs, and those that the user set
    on purpose."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("GATEWAY_", "RELAY_", "VOICE_", "CHAMADE_"))
    }
    return {
        **inherited,
        **passed,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        # One thread for linear algebra in each process: frames are short, cores are few.
        "OPENBLAS_NUM_THREADS": "1",
    }
