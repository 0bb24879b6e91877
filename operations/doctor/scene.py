"""What all checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.config import Config
from chalicelib.providers.twilio import TwilioAccount
from chalicelib.services.ports import Ports
from operations.installation import Installation


@dataclass(frozen=True)
class Scene:
    """An installation whose settings make sense."""

    installation: Installation
    config: Config
    ports: Ports

    @property
    def gateway(self) -> TwilioAccount | None:
        """Our gateway, if there is one."""
        return next((each for each in self.config.accounts if each.name == "gateway"), None)

    @property
    def twilio(self) -> TwilioAccount | None:
        """Twilio, if it is used."""
        return next((each for each in self.config.accounts if each.name == "twilio"), None)

    @property
    def relay_http(self) -> str:
        """The relay's URL, for HTTP."""
        return http_of(self.config.relay_url)

    @property
    def urls(self) -> list[str]:
        """Every URL of ours that somebody else is to reach, each host and port once."""
        gateway = self.gateway
        named = [
            self.config.public_url,
            self.config.relay_url,
            *([gateway.api_url] if gateway else []),
            *([self.config.gateway_socket_url] if self.config.gateway_socket_url else []),
        ]
        return list({urlsplit(http_of(url)).netloc: url for url in named}.values())


def http_of(url: str) -> str:
    """ws:// as http://, wss:// as https://."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url
