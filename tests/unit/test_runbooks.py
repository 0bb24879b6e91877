"""Tests that every runbook has all its sections, and that every runbook that is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "runbooks.md").read_text()
SECTIONS = dict(re.findall(r"^## ([a-z0-9-]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ANCHORS = set(SECTIONS) | set(re.findall(r'<a id="([a-z0-9-]+)">', PAGE))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_runbook_has_all_its_sections(
    name,
):
    for part in ("Means", "Heard", "Look", "Do", "Over"):
        assert f"**{part}** " in SECTIONS[name].replace("\n", " "), f"{name}: {part}"


def test_every_anchor_linked_from_alarms_and_pages_exists_once():
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len(SECTIONS)
    assert not set(SECTIONS) & set(re.findall(r'<a id="([a-z0-9-]+)">', PAGE))
    assert {"api-5xx", "relay-drops", "certificate-expiry", "dialling-refused-surge"} <= ANCHORS
