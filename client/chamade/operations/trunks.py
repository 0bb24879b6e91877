"""`/api/trunk…` and `/api/trunks…`: SIP trunks of your own, and their numbers.

The trunk called `main` is the one at `/api/trunk`, which servers of all versions have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from chamade.http.operation import Group, Shell, given, operation, part
from chamade.http.request import Request
from chamade.models import Did, Trunk, TrunkPreset
from chamade.operations.numbers import changed
from chamade.operations.shapes import nothing, shape, shapes
from chamade.operations.voices import VoiceOptions

MAIN = "main"


class TrunkOptions(TypedDict, total=False):
    """Settings of a trunk that may be left out; then they are at their defaults."""

    port: int | None
    transport: str | None
    realm: str | None
    caller_id: str | None
    allowed_countries: Sequence[str] | None
    provider: str | None
    auth: Literal["register", "ip", "both"] | None
    networks: Sequence[str] | None
    srtp: Literal["off", "offered", "required"] | None
    outbound_proxy: str | None
    user_phone: bool | None
    number_format: Literal["e164", "plain", "00", "national"] | None
    dial_prefix: str | None
    country: str | None
    caller_id_in: Literal["auto", "from", "pai", "ppi", "rpid"] | None
    keep_alive: Literal["none", "crlf", "options"] | None
    fallback: Sequence[str] | None


class Dids(Group[Shell]):
    """The numbers of your trunks; without `trunk` those of the one called `main`."""

    @operation
    def list(self, *, trunk: str = MAIN) -> Request[list[Did]]:
        """List the numbers of a trunk."""
        return Request("GET", _path(trunk), shapes(Did, "dids"))

    @operation
    def get(self, e164: str, *, trunk: str = MAIN) -> Request[Did]:
        """Get a number of a trunk."""
        return Request("GET", f"{_path(trunk)}/dids/{part(e164)}", shape(Did))

    @operation
    def add(
        self,
        e164: str,
        *,
        trunk: str = MAIN,
        label: str | None = None,
        auto_answer: bool | None = None,
        agent_url: str | None = None,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Did]:
        """Add a number: calls to it ring here from now on."""
        wishes = given(
            label=label,
            auto_answer=auto_answer,
            agent_url=agent_url,
            voice=voice,
            voice_settings=voice_settings,
        )
        return Request(
            "POST",
            f"{_path(trunk)}/dids",
            shape(Did),
            body={"e164": e164, **wishes},
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def change(
        self,
        e164: str,
        *,
        trunk: str = MAIN,
        auto_answer: bool | None = None,
        label: str | None = None,
        agent_url: str | None = None,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> Request[Did]:
        """Change what is given, as `numbers.change` does."""
        changes = changed(auto_answer, label, agent_url, voice, voice_settings)
        return Request("PATCH", f"{_path(trunk)}/dids/{part(e164)}", shape(Did), body=changes)

    @operation
    def remove(self, e164: str, *, trunk: str = MAIN) -> Request[None]:
        """Remove a number: calls to it are rejected from now on."""
        return Request("DELETE", f"{_path(trunk)}/dids/{part(e164)}", nothing)


class Trunks(Group[Shell]):
    """Your SIP trunks; without `name` the one called `main`."""

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell)
        self.dids: Dids[Shell] = Dids(shell)

    @operation
    def presets(self) -> Request[list[TrunkPreset]]:
        """List the settings that trunks of known carriers and PBXs need."""
        return Request("GET", "/api/trunk-presets", shapes(TrunkPreset, "presets"), keyless=True)

    @operation
    def list(self) -> Request[list[Trunk]]:
        """List your trunks with their numbers: `main` first, then by name."""
        return Request("GET", "/api/trunks", shapes(Trunk, "trunks"))

    @operation
    def get(self, *, name: str = MAIN) -> Request[Trunk]:
        """Get a trunk, with its status and its numbers."""
        return Request("GET", _path(name), shape(Trunk))

    @operation
    def connect(
        self,
        host: str,
        username: str | None = None,
        password: str | None = None,
        *,
        name: str = MAIN,
        **options: Unpack[TrunkOptions],
    ) -> Request[Trunk]:
        """Connect a trunk, or replace all its settings: what is left out is back at its
        default. With `auth="ip"` and `networks` it needs no username and password.
        """
        body = {"host": host, **given(username=username, password=password, **options)}
        return Request("PUT", _path(name), shape(Trunk), body=body)

    @operation
    def disconnect(self, *, name: str = MAIN) -> Request[None]:
        """Forget a trunk and its numbers. Calls that are up go on."""
        return Request("DELETE", _path(name), nothing)


def _path(name: str) -> str:
    return "/api/trunk" if name == MAIN else f"/api/trunks/{part(name)}"
