"""Every runbook says all that is needed at three in the morning, and those that are named exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "runbooks.md").read_text()
SECTIONS = dict(re.findall(r"^## ([a-z0-9-]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ANCHORS = set(SECTIONS) | set(re.findall(r'<a id="([a-z0-9-]+)">', PAGE))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_runbook_says_what_it_means_what_is_heard_where_to_look_what_to_do_and_when_it_is_over(
    name,
):
    for part in ("Means", "Heard", "Look", "Do", "Over"):
        assert f"**{part}** " in SECTIONS[name].replace("\n", " "), f"{name}: {part}"


def test_the_anchors_that_alarms_and_pages_lead_to_are_there_once():
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len(SECTIONS)
    assert not set(SECTIONS) & set(re.findall(r'<a id="([a-z0-9-]+)">', PAGE))
    assert {"api-5xx", "relay-drops", "certificate-expiry", "dialling-refused-surge"} <= ANCHORS
