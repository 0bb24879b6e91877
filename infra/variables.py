"""Variables that the operator may set for a part, in `variables` of infra/cdk.json.

docs/settings.md is the list of what each part reads (a test compares it with the code). So a part
can be given every variable of its sections, but for those here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

PARTS: Mapping[str, tuple[str, ...]] = {
    "application": ("## Application",),
    "relay": ("## Relay",),
    "gateway": ("## Gateway", "## SIP edge"),
    "voice": ("## Voice host",),
}
"""Part -> the headings of its sections."""

_KEPT_APART = "put the value into the secret of this name in Secrets Manager"
_IMAGE = "the image and the balancer agree on it"
_FILE = "the image has no such file"
_URL = "it follows from `domain`"
_MADE = "it is the name of what the deployment makes"
_PRIVATE = "tenants must not reach into the operator's network"

NOT_SETTABLE: Mapping[str, str] = {
    "CHAMADE_TABLE": _MADE,
    "CHAMADE_PUBLIC_URL": _URL,
    "CHAMADE_RELAY_URL": _URL,
    "CHAMADE_CONTROL_URL": _URL,
    "CHAMADE_RING_STATE_MACHINE": _MADE,
    "CHAMADE_DELIVERY_STATE_MACHINE": _MADE,
    "CHAMADE_TOKEN_SECRET": _KEPT_APART,
    "CHAMADE_CONTROL_SECRET": _KEPT_APART,
    "CHAMADE_AGENT_TOKEN_SECRET": _KEPT_APART,
    "CHAMADE_TWILIO_ACCOUNT_SID": "use `twilio_account_sid`",
    "CHAMADE_TWILIO_AUTH_TOKEN": _KEPT_APART,
    "CHAMADE_TWILIO_API_URL": "Twilio is where it is",
    "CHAMADE_TWILIO_SIP_DOMAIN": "use `twilio_sip_domain`",
    "CHAMADE_GATEWAY_ACCOUNT_SID": "it follows from `stage` and `domain`",
    "CHAMADE_GATEWAY_AUTH_TOKEN": _KEPT_APART,
    "CHAMADE_GATEWAY_API_URL": _URL,
    "CHAMADE_GATEWAY_SOCKET_URL": _URL,
    "CHAMADE_GATEWAY_CONTROL_SECRET": _KEPT_APART,
    "CHAMADE_GATEWAYS": "use `sizes.gateways`",
    "CHAMADE_SIP_HOSTS": "use `sip_hosts`",
    "CHAMADE_KMS_KEY_ID": _MADE,
    "CHAMADE_KEY_FILE": "a key in KMS seals instead",
    "CHAMADE_SIGN_UP": "use `sign_up`",
    "CHAMADE_ALLOW_PRIVATE_TRUNKS": _PRIVATE,
    "CHAMADE_ALLOW_PRIVATE_WEBHOOKS": _PRIVATE,
    "CHAMADE_TRIES_AT_ONCE": "use `sizes.tries_at_once`",
    "CHAMADE_VOICE_URLS": "use `hosted_voice`",
    "CHAMADE_VOICE_SECRET": _KEPT_APART,
    "CHAMADE_RELAY_DOOR_URL": _URL,
    "RELAY_HOST": _IMAGE,
    "RELAY_PORT": _IMAGE,
    "RELAY_ID": "each task has one of its own",
    "RELAY_URL": "each task has one of its own",
    "RELAY_PUBLIC_URL": _URL,
    "RELAY_DOOR_PORT": "the balancer knows it",
    "RELAY_DOOR_URL": "each task has one of its own",
    "RELAY_DRAIN_S": "it must be shorter than the time that ECS gives a task to stop",
    "RELAY_BEHIND_PROXY": "a balancer is in front",
    "RELAY_ALLOW_PRIVATE_AGENTS": _PRIVATE,
    "RELAY_COUNTS_S": "the metrics of the alarms are made of these lines",
    "ECS_AGENT_URI": "ECS sets it",
    "VOICE_HOST": _IMAGE,
    "VOICE_PORT": _IMAGE,
    "VOICE_ID": "each task has one of its own",
    "VOICE_URL": "each task has one of its own",
    "VOICE_ENGINE": "the image has no other models",
    "VOICE_PYTHON": _FILE,
    "VOICE_MAX_CALLS": "use `sizes.calls_per_voice_host`",
    "VOICE_DRAIN_S": "it must be shorter than the time that ECS gives a task to stop",
    "VOICE_COUNTS_S": "the metrics of the alarms are made of these lines",
    "VOICE_OPENAI_URL": "the voice hosts speak with Polly and hear with Transcribe",
    "VOICE_OPENAI_KEY": "the voice hosts speak with Polly and hear with Transcribe",
    "VOICE_OPENAI_MODELS": "the voice hosts speak with Polly and hear with Transcribe",
    "GATEWAY_ACCOUNT_SID": "it follows from `stage` and `domain`",
    "GATEWAY_AUTH_TOKEN": _KEPT_APART,
    "GATEWAY_VOICE_URL": _URL,
    "GATEWAY_STATUS_URL": _URL,
    "GATEWAY_HOST": _IMAGE,
    "GATEWAY_PORT": _IMAGE,
    "GATEWAY_PROCESSES": "use `sizes.gateway_processes`",
    "GATEWAY_SHARE": "the gateway's front sets it",
    "GATEWAY_SOCKET": "the gateway's front sets it",
    "GATEWAY_ID": "it follows from `stage`",
    "GATEWAY_MACHINE": "the gateway's front sets it",
    "GATEWAY_API_URL": _URL,
    "GATEWAY_COUNTS_S": "the metrics of the alarms are made of these lines",
    "GATEWAY_CONTROL_URL": _URL,
    "GATEWAY_CONTROL_SECRET": _KEPT_APART,
    "GATEWAY_ALLOW_PRIVATE_TRUNKS": _PRIVATE,
    "GATEWAY_SIP_PORT": "the container sets it, as the edge needs it",
    "GATEWAY_SIP_HOST": "the container sets it, as the edge needs it",
    "GATEWAY_SIP_EDGE": "the container sets it, as the edge needs it",
    "GATEWAY_SIP_CHILDREN": "it is a former setting",
    "GATEWAY_SIP_CA_FILE": _FILE,
    "GATEWAY_RTP_PORTS": "the instance's security group opens these ports",
    "EDGE_PUBLIC_IP": "it is the instance's Elastic IP",
    "EDGE_BIND_IP": "it is the instance's own address",
    "EDGE_SIP_PORT": "the instance's security group opens this port",
    "EDGE_TLS_PORT": "the instance's security group opens this port",
    "EDGE_TLS_CERT": _FILE,
    "EDGE_TLS_KEY": _FILE,
    "EDGE_TLS_CA": _FILE,
    "EDGE_INSIDE": "gateway and edge are in one container",
    "EDGE_CHILDREN": "gateway and edge are in one container",
    "EDGE_PEERS": "use `sip_peers`",
}
"""Variable -> why the operator cannot set it here, and what to do instead."""


def documented(part: str) -> set[str]:
    """Return all variables of a part that docs/settings.md has."""
    found: set[str] = set()
    wanted = False
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            wanted = line in PARTS[part]
        elif wanted and (row := re.match(r"\| `([A-Z][A-Z0-9_]+)` \|", line)):
            found.add(row[1])
    return found


def settable(part: str) -> set[str]:
    """Return the variables of a part that the operator may set."""
    return documented(part) - set(NOT_SETTABLE)


def complaint(part: str, name: str) -> str:
    """Return what is wrong about setting this variable; blank if nothing is."""
    if name in NOT_SETTABLE:
        return f"variables.{part}: {name} cannot be set here: {NOT_SETTABLE[name]}"
    if name not in documented(part):
        return f"variables.{part}: {name} is no setting of this part (docs/settings.md)"
    return ""
