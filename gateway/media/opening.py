"""The facts with which a media stream is opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opening:
    """The facts of a stream that its server is told at the start."""

    url: str
    signature: str
    account_sid: str
    call_sid: str
    parameters: dict[str, str]

    @property
    def refusal(self) -> str | None:
        """Return why no stream can be opened at the URL; None if one can."""
        if not self.url.startswith(("ws://", "wss://")):
            # Twilio takes wss only; ws is for stacks on one machine and inside a private network.
            return "no stream: the URL is neither wss nor ws"
        if "?" in self.url or "#" in self.url:
            return "no stream: the URL has a query string; use <Parameter> or the path"
        return None
