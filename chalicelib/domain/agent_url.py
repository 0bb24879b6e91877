"""Where an agent is dialled."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def _agent_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    plain = text.isascii() and text.isprintable() and " " not in text and "#" not in text
    if not good or not plain:
        raise ValueError("an agent URL begins with ws:// or wss://, names a host, has no #fragment")
    return text


AgentUrl = Annotated[str, Field(max_length=2048), AfterValidator(_agent_url)]
