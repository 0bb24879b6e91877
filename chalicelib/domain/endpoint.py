"""Webhook endpoints: URLs of an owner's own to which events are posted, signed.

This module decides which events an endpoint wants and when an endpoint that fails is disabled;
`delivery.py` decides about the tries of one event.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from chalicelib.domain.event import Event, EventType
from chalicelib.domain.failure import Failure
from chalicelib.domain.host import public_host
from chalicelib.domain.instant import Instant
from chalicelib.domain.model import Model

MAX_ENDPOINTS = 10
"""Endpoints of an account: each event is posted to all of them."""

FAILING_MS = 5 * 24 * 3600 * 1000
"""An endpoint that has taken nothing for this long is disabled when a delivery fails for good."""

MAX_OVERLAP_S = 7 * 24 * 3600
DEFAULT_OVERLAP_S = 24 * 3600

ENDPOINT_ID = re.compile(r"ep_[a-z2-7]{26}", re.ASCII)
"""The form of an endpoint's id; other text names no endpoint."""

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]", re.ASCII)


class DisabledReason(StrEnum):
    """The reason for which an endpoint gets nothing."""

    OWNER = "owner"
    GONE = "gone"
    FAILING = "failing"


class PrivateUrl(Failure, ValueError):
    """The URL can only lead into the operator's own network."""

    code = "private_url"


class PlainHttp(Failure, ValueError):
    """The URL is not https://."""

    code = "invalid"
    field = "url"


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and _sane(parts)
    except ValueError:
        good = False
    plain = text.isascii() and text.isprintable() and not set(' "<>\\^`{|}#') & set(text)
    if not good or not plain:
        raise ValueError(
            "an endpoint's URL begins with https://, names a host in ASCII, has port 80, 443 or "
            "one above 1023, and neither user, password nor #fragment, as in "
            "https://agent.example/chamade"
        )
    return text


def _sane(parts: SplitResult) -> bool:
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    return (
        bool(parts.hostname and _HOST.fullmatch(host))
        and parts.username is None
        and parts.password is None
        and (parts.port in (None, 80, 443) or (parts.port or 0) > 1023)
    )


_PATTERNS = frozenset({"*", *EventType, *(f"{each.partition('.')[0]}.*" for each in EventType)})


def _patterns(given: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [each for each in given if each not in _PATTERNS]
    if unknown:
        raise ValueError(
            f"no such event: {unknown[0][:64]!r}; a type such as call.ringing, all of a kind such "
            "as call.*, or * for all"
        )
    return tuple(dict.fromkeys(given))


Url = Annotated[str, Field(max_length=2048), AfterValidator(_url)]
Patterns = Annotated[tuple[str, ...], Field(min_length=1, max_length=50), AfterValidator(_patterns)]
Label = Annotated[str, Field(max_length=100)]


class Endpoint(Model):
    """An endpoint as it is, without its secret.

    It is sent the events that happened from `since` on. `failing_since`: the first failed try
    since the last success; `previous_secret_until`: until when the former secret signs, too.
    """

    model_config = ConfigDict(frozen=True)

    endpoint_id: str
    account_id: str
    url: Url
    events: tuple[str, ...]
    label: Label = ""
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    since: Instant
    failing_since: Instant | None = None
    previous_secret_until: Instant | None = None
    created_at: Instant
    updated_at: Instant


class NewEndpoint(Model):
    """An endpoint to be made: its URL and the events that it wants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(
        description="https://, on the public Internet", examples=["https://agent.example/chamade"]
    )
    events: Patterns = Field(
        default=("*",),
        description="types such as `call.ringing`, all of a kind such as `call.*`, or `*` for all",
        examples=[["call.*", "trunk.failed"]],
    )
    label: Label = Field(default="", description="for people")
    enabled: bool = Field(default=True, description="whether anything is sent to it")


class EndpointChanges(Model):
    """Changes to an endpoint. Fields that are not given stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url | None = Field(default=None, description="https://, on the public Internet")
    events: Patterns | None = Field(
        default=None, description="types such as `call.ringing`, kinds such as `call.*`, or `*`"
    )
    label: Label | None = Field(default=None, description="for people")
    enabled: bool | None = Field(default=None, description="whether anything is sent to it")


def new_endpoint(wanted: NewEndpoint, account_id: str, now: int) -> Endpoint:
    """Make an endpoint with a new id: `ep_` and 26 characters of base32, 130 random bits."""
    return Endpoint(
        endpoint_id="ep_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26],
        account_id=account_id,
        **wanted.model_dump(),
        disabled_reason=None if wanted.enabled else DisabledReason.OWNER,
        since=now,
        created_at=now,
        updated_at=now,
    )


def apply_changes(endpoint: Endpoint, wanted: EndpointChanges, now: int) -> Endpoint:
    """Return the endpoint with its owner's changes. Once enabled again, it gets what happens from
    then on. Enabling it or setting another URL clears its failures.
    """
    changes: dict[str, Any] = wanted.model_dump(exclude_none=True)
    if wanted.enabled is not None and wanted.enabled != endpoint.enabled:
        changes["disabled_reason"] = None if wanted.enabled else DisabledReason.OWNER
        if wanted.enabled:
            changes["since"] = now
    if wanted.enabled or wanted.url is not None:
        changes["failing_since"] = None
    return endpoint.model_copy(update={**changes, "updated_at": now})


def disable(endpoint: Endpoint, reason: DisabledReason, now: int) -> Endpoint:
    """Return the endpoint disabled: it gets nothing any more."""
    return endpoint.model_copy(
        update={"enabled": False, "disabled_reason": reason, "updated_at": now}
    )


def wants(endpoint: Endpoint, event: Event) -> bool:
    """Return whether the event is to be sent to the endpoint."""
    return endpoint.enabled and event.at >= endpoint.since and matches(endpoint.events, event.type)


def matches(patterns: Iterable[str], event_type: str) -> bool:
    """Return whether a type matches a pattern such as `call.ringing`, `call.*` or `*`."""
    wanted = {"*", event_type, f"{event_type.partition('.')[0]}.*"}
    return not wanted.isdisjoint(patterns)


def failed_for_too_long(endpoint: Endpoint, now: int) -> bool:
    """Return whether to disable an endpoint at which a delivery has failed for good."""
    return endpoint.failing_since is not None and now - endpoint.failing_since >= FAILING_MS


def check_reachable(url: str, *, private: bool) -> None:
    """Check that this installation posts to the URL: with `private` to any, else only to https://
    on the public Internet. Raises PrivateUrl, PlainHttp.

    The addresses of a public *name* are checked when it is connected to.
    """
    if private:
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise PlainHttp("begin it with https://: events hold who called whom")
    if not public_host(parts.hostname or ""):
        raise PrivateUrl(f"{parts.hostname!r} is not on the public Internet")


def public_view(endpoint: Endpoint) -> dict[str, Any]:
    """Return the endpoint as its owner sees it over REST."""
    return endpoint.model_dump(mode="json", exclude={"account_id", "since"})


def disabled_event(endpoint: Endpoint, detail: str, version: int) -> Event:
    """Make the event `webhook.disabled`, for the inbox and the other endpoints. It shows only the
    host of the URL: URLs hold tokens, and events go to more places.
    """
    return Event(
        event_id=f"evt_{endpoint.endpoint_id.removeprefix('ep_')}_disabled_{version:03d}",
        type=EventType.WEBHOOK_DISABLED,
        account_id=endpoint.account_id,
        at=endpoint.updated_at,
        data={**_summary(endpoint), "reason": endpoint.disabled_reason, "detail": detail},
    )


def test_event(endpoint: Endpoint, now: int) -> Event:
    """Make the event `webhook.test`, for this endpoint alone."""
    return Event(
        event_id=f"evt_test_{base64.b32encode(secrets.token_bytes(15)).decode().lower()}",
        type=EventType.WEBHOOK_TEST,
        account_id=endpoint.account_id,
        at=now,
        data=_summary(endpoint),
    )


def _summary(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.endpoint_id,
        "label": endpoint.label,
        "host": urlsplit(endpoint.url).hostname or "",
    }
