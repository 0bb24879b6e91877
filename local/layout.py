"""Where things are on this machine: ports, the state folder, URLs. All of it follows from two
settings, `CHAMADE_PORT_BASE` (default 8700) and `CHAMADE_STATE_DIR` (default `.local`).
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


class BadSetting(Exception):
    """A setting makes no sense; the message says which and why."""


@dataclass(frozen=True)
class Layout:
    """Ports and paths of one stack. Two stacks with other port bases do not meet."""

    port_base: int
    state_dir: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Layout:
        """As the environment says. BadSetting if the port base is no usable port."""
        text = env.get("CHAMADE_PORT_BASE", str(DEFAULT_PORT_BASE))
        if not (text.isascii() and text.isdigit()) or not 1024 <= int(text) <= HIGHEST_PORT_BASE:
            raise BadSetting(
                f"CHAMADE_PORT_BASE={text!r}: a number from 1024 to {HIGHEST_PORT_BASE} is wanted"
            )
        state_dir = Path(env.get("CHAMADE_STATE_DIR", str(ROOT / ".local")))
        return cls(int(text), state_dir.resolve())

    @property
    def ports(self) -> dict[str, int]:
        """Port of each part."""
        # SIP children are two ports apart: the stack takes the next one, too (gateway/config.py).
        offsets = {"api": 0, "relay": 1, "gateway": 2, "aws": 3, "sip": 4, "sip-2": 6}
        return {part: self.port_base + offset for part, offset in offsets.items()}

    @property
    def api_url(self) -> str:
        """The REST API and the webhooks."""
        return f"http://{HOST}:{self.ports['api']}"

    @property
    def relay_url(self) -> str:
        """The relay's sockets."""
        return f"ws://{HOST}:{self.ports['relay']}"

    @property
    def gateway_url(self) -> str:
        """The gateway's Calls REST."""
        return f"http://{HOST}:{self.ports['gateway']}"

    @property
    def gateway_socket_url(self) -> str:
        """The gateway's sockets, for browsers."""
        return f"ws://{HOST}:{self.ports['gateway']}"

    @property
    def dashboard_url(self) -> str:
        """The page, for people."""
        return f"{self.api_url}/dashboard"

    def sip_uri(self, number: str) -> str:
        """Where a softphone on this machine calls a number."""
        return f"sip:{number}@{HOST}:{self.ports['sip']}"

    @property
    def aws_url(self) -> str:
        """ministack, which answers for DynamoDB, Step Functions and Lambda."""
        return f"http://{HOST}:{self.ports['aws']}"

    @property
    def stack_file(self) -> Path:
        """What other programs read to find the stack."""
        return self.state_dir / "stack.json"

    @property
    def shell_file(self) -> Path:
        """The same for a shell: `. .local/env`."""
        return self.state_dir / "env"
