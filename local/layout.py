"""The ports, paths and URLs of a stack on this machine. They follow from two settings,
`CHAMADE_PORT_BASE` (default 8700) and `CHAMADE_STATE_DIR` (default `.local`). How many voice hosts
it has is a setting, too (local/voice_hosts.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 8700
HIGHEST_PORT_BASE = 65_500
DID, ABROAD = "+33199005678", "+33199001234"
"""A trunk's number, and one to dial through it. Both are reserved for fiction: valid, and nobody's.
"""
PHONES_RTP = (18_000, 19_999)
"""Ports of audio of the phones behind the carrier: the end of the gateway's, which fill up from
their beginning.
"""


class BadSetting(Exception):
    """A setting is invalid; the message says which and why."""


@dataclass(frozen=True)
class Layout:
    """The ports and paths of one stack. Stacks with different port bases do not collide."""

    port_base: int
    state_dir: Path
    gateways: int = 1
    """Gateways, which divide the trunks if there are two: `GATEWAYS`."""
    voice_hosts: int = 0

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str] = os.environ, *, voice_hosts: int = 0
    ) -> Layout:
        """Make the layout from the environment. Raises BadSetting if the port base is no usable
        port."""
        text = env.get("CHAMADE_PORT_BASE", str(DEFAULT_PORT_BASE))
        if not (text.isascii() and text.isdigit()) or not 1024 <= int(text) <= HIGHEST_PORT_BASE:
            raise BadSetting(
                f"CHAMADE_PORT_BASE={text!r}: a number from 1024 to {HIGHEST_PORT_BASE} is wanted"
            )
        state_dir = Path(env.get("CHAMADE_STATE_DIR", str(ROOT / ".local")))
        gateways = env.get("GATEWAYS") or "1"
        if gateways not in ("1", "2"):
            raise BadSetting(f"GATEWAYS={gateways!r}: 1 or 2 is wanted")
        return cls(int(text), state_dir.resolve(), int(gateways), voice_hosts)

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each part."""
        offsets = {"api": 0, "relay": 1, "gateway": 2, "aws": 3, "sip": 4, "door": 7}
        offsets |= {f"voice-{host + 1}": 5 + host for host in range(self.voice_hosts)}
        offsets |= {"carrier": 8, "carrier's phones": 9}
        if self.gateways > 1:
            offsets |= {"gateway-2": 10, "sip-2": 11}
        return {part: self.port_base + offset for part, offset in offsets.items()}

    @property
    def api_url(self) -> str:
        """Return the URL of the REST API and the webhooks."""
        return f"http://{HOST}:{self.ports['api']}"

    @property
    def relay_url(self) -> str:
        """Return the URL of the relay's sockets."""
        return f"ws://{HOST}:{self.ports['relay']}"

    @property
    def door_url(self) -> str:
        """Return the URL of the relay's control door."""
        return f"http://{HOST}:{self.ports['door']}"

    @property
    def voice_urls(self) -> list[str]:
        """Return the URL of each voice host."""
        ports = self.ports
        return [f"http://{HOST}:{ports[f'voice-{host + 1}']}" for host in range(self.voice_hosts)]

    @property
    def gateway_url(self) -> str:
        """Return the URL of the gateway's Calls REST."""
        return f"http://{HOST}:{self.ports['gateway']}"

    @property
    def gateway_urls(self) -> dict[str, str]:
        """Return the URL of each gateway, by its name."""
        names = ["gateway", "gateway-2"][: self.gateways]
        return {name: f"http://{HOST}:{self.ports[name]}" for name in names}

    @property
    def gateway_socket_url(self) -> str:
        """Return the URL of the gateway's sockets, for browsers."""
        return f"ws://{HOST}:{self.ports['gateway']}"

    @property
    def dashboard_url(self) -> str:
        """Return the URL of the dashboard."""
        return f"{self.api_url}/dashboard"

    def sip_uri(self, number: str) -> str:
        """Return the URI at which a softphone on this machine calls a number."""
        return f"sip:{number}@{HOST}:{self.ports['sip']}"

    @property
    def carrier_url(self) -> str:
        """Return the URL at which phones connect to the carrier; its SIP has the same port."""
        return f"http://{HOST}:{self.ports['carrier']}"

    @property
    def aws_url(self) -> str:
        """Return the URL of ministack, which stands in for DynamoDB, Step Functions and Lambda."""
        return f"http://{HOST}:{self.ports['aws']}"

    @property
    def stack_file(self) -> Path:
        """Return the file that other programs read to find the stack."""
        return self.state_dir / "stack.json"

    @property
    def shell_file(self) -> Path:
        """Return the file with the same facts for a shell: `. .local/env`."""
        return self.state_dir / "env"
