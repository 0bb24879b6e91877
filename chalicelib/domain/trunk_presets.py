"""Presets: the settings that the trunks of a carrier or a PBX need, so that an owner fills in only
what is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict

from chalicelib.domain.model import Model


class TrunkPreset(Model):
    """The settings of one carrier or PBX. `settings` and `ask` name fields of `TrunkSettings`: the
    values that are known, and the fields that the owner fills in. `notes` are for the owner.
    `source`: the page that the facts are from; `checked`: whether they are read there only, or
    also tested.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    title: str
    kind: Literal["carrier", "pbx"]
    settings: Mapping[str, Any]
    ask: tuple[str, ...]
    notes: tuple[str, ...] = ()
    source: str
    checked: Literal["documentation", "tests"]


PRESETS = (
    TrunkPreset(
        preset="ovh",
        title="OVHcloud (SIP line)",
        kind="carrier",
        settings={"country": "FR"},
        ask=("host", "username", "password", "caller_id"),
        notes=("The host is the domain that OVHcloud shows for your line.",),
        source="http://guide.ovh.com/DistribElastixSiptrunk",
        checked="documentation",
    ),
    TrunkPreset(
        preset="asterisk",
        title="Asterisk (PJSIP endpoint)",
        kind="pbx",
        settings={"number_format": "e164"},
        ask=("host", "username", "password", "caller_id"),
        notes=(
            "The username is the name of the auth section of the endpoint.",
            "Asterisk's realm is asterisk unless default_realm is set: then nothing is to be done.",
        ),
        source="https://docs.asterisk.org/Configuration/Channel-Drivers/SIP/Configuring-res_pjsip/",
        checked="documentation",
    ),
)
"""All presets, by what their owners look for."""
