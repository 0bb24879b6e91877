"""The installation as the checks see it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.config import Config
from chalicelib.providers.twilio import TwilioAccount
from chalicelib.services.dependencies import Dependencies
from operations.installation import Installation


@dataclass(frozen=True)
class Scene:
    """An installation with valid settings."""

    installation: Installation
    config: Config
    deps: Dependencies

    @property
    def gateway(self) -> TwilioAccount | None:
        """Return our gateway, if there is one."""
        return next((each for each in self.config.accounts if each.name == "gateway"), None)

    @property
    def twilio(self) -> TwilioAccount | None:
        """Return the account at Twilio, if there is one."""
        return next((each for each in self.config.accounts if each.name == "twilio"), None)

    @property
    def relay_http(self) -> str:
        """Return the relay's URL, for HTTP."""
        return http_of(self.config.relay_url)

    @property
    def urls(self) -> list[str]:
        """Return every URL of ours that others must reach, each host and port once."""
        gateway = self.gateway
        named = [
            self.config.public_url,
            self.config.relay_url,
            *([gateway.api_url] if gateway else []),
            *([self.config.gateway_socket_url] if self.config.gateway_socket_url else []),
        ]
        return list({urlsplit(http_of(url)).netloc: url for url in named}.values())


def http_of(url: str) -> str:
    """Return a URL with ws:// changed to http://, and wss:// to https://."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url
