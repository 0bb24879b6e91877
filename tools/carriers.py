"""`python -m tools.carriers`: write docs/carriers.md from the presets of trunks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.domain.trunk_presets import PRESETS, TrunkPreset

DOC = Path(__file__).resolve().parents[1] / "docs/carriers.md"

KINDS = {"carrier": "Carriers", "pbx": "PBXs"}
CHECKED = {
    "documentation": "From documentation, not yet tried by us.",
    "tests": "Our tests connect it and call through it.",
}

INTRO = """\
# Carriers and PBXs

For whoever connects a trunk. Find yours, do what is said at its side, and fill in what is asked
for: in the dashboard under *SIP trunks (BYOT)*, *Connect a trunk*, or with `chamade trunk connect
--preset NAME`. Each setting is explained in [api.md](api.md#your-own-trunks); what is not named
here has its default. Yours is not here? Choose *Another one*: most need only host, username and
password. [sip.md](sip.md#it-does-not-register) says what to do if a trunk does not register.

`make carriers` writes this page from `chalicelib/domain/trunk_presets.py`, which `GET
/api/trunk-presets` answers with.
"""


def page() -> str:
    """Return the whole page."""
    return INTRO + "".join(_kind(kind, title) for kind, title in KINDS.items())


def _kind(kind: str, title: str) -> str:
    presets = "".join(_preset(preset) for preset in PRESETS if preset.kind == kind)
    return f"\n## {title}\n{presets}"


def _preset(preset: TrunkPreset) -> str:
    lines = [f"Filled in: {_settings(preset.settings)}."] if preset.settings else []
    lines += [f"You fill in: {', '.join(f'`{name}`' for name in preset.ask)}.", *preset.notes]
    source = f"{CHECKED[preset.checked]} [Documentation]({preset.source})."
    listed = "".join(f"* {line}\n" for line in (*lines, source))
    return f"\n### {preset.title}\n\nPreset `{preset.preset}`.\n\n{listed}"


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {_written(value)}" for name, value in settings.items())


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    DOC.write_text(page())
