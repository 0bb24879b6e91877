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


def test_sections_that_are_named_by_others_are_there():
    named = set(re.findall(r"\(`([a-z0-9-]+)`\)", PAGE)) & {
        each for each in re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", PAGE)
    }
    assert named <= ANCHORS
    assert {"api-5xx", "relay-drops", "certificate-expiry", "dialling-refused-surge"} <= ANCHORS
