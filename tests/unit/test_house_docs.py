"""Tests that the pages name files and settings that exist, and say for whom they are."""

from __future__ import annotations

import re

import pytest

from chalicelib.domain.version import VERSION
from infra.settings import Settings, Sizes
from tests.support.engine import ROOT

DOCS = sorted(
    str(path.relative_to(ROOT))
    for folder in (ROOT / "docs", ROOT / "docs" / "decisions")
    for path in folder.glob("*.md")
)
PAGES = [*DOCS, "README.md", "CONTRIBUTING.md", "SECURITY.md"]
_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|json|md|mjs|js|template))(?:: \w+)?`")
_ROOMS = (
    "",
    "chalicelib/",
    "gateway/",
    "gateway/legs/sip/",
    "tests/",
    "infra/",
    "client/chamade/",
    "dashboard/",
)


def files_named(page):
    return sorted(set(_FILE.findall((ROOT / page).read_text())))


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page):
    named = [name for name in files_named(page) if not name.startswith(".local/")]
    missing = [name for name in named if not any((ROOT / room / name).exists() for room in _ROOMS)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_for_whom_it_is_at_its_top(page):
    top = (ROOT / page).read_text().split("\n\n")[1]
    assert re.search(r"(^|\. |\n)For [a-z]", top), f"{page}: {top}"


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")


def anchors_of(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return set(re.findall(r'<a id="([\w-]+)"', text)) | {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    here = ROOT / page
    for target, anchor in LINK.findall(here.read_text()):
        if target.startswith("http"):
            continue
        there = (here.parent / target).resolve() if target else here
        assert there.exists(), target
        assert not anchor or anchor in anchors_of(there), f"{target}#{anchor}"


PARTS = (
    "chalicelib",
    "relay",
    "gateway",
    "voice",
    "common",
    "local",
    "operations",
    "client/chamade",
)
SETTING = re.compile(
    r"[\"'](ECS_AGENT_URI|GATEWAYS|(?:CHAMADE|RELAY|GATEWAY|VOICE|EDGE)_[A-Z0-9_]*[A-Z0-9])[\"']"
)


def test_every_setting_of_the_code_is_on_the_page_and_the_other_way_round():
    code = [path.read_text() for part in PARTS for path in (ROOT / part).rglob("*.py")]
    named = {
        name
        for text in code
        for provider in ("TWILIO", "GATEWAY")
        for name in SETTING.findall(text.replace("{name.upper()}", provider))
    }
    sizes = {f"sizes.{name}" for name in Sizes.model_fields}
    installation = (set(Settings.model_fields) - {"sizes"}) | sizes
    page = (ROOT / "docs" / "settings.md").read_text()
    listed = re.findall(r"^\| `([\w.]+)` \|", page, re.M)
    assert set(listed) == named | installation


def test_the_version_is_the_same_everywhere():
    project = (ROOT / "pyproject.toml").read_text()
    client = (ROOT / "client" / "chamade" / "version.py").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{VERSION}"' in project
    assert f'VERSION = "{VERSION}"' in client
    assert re.search(rf"^## {re.escape(VERSION)} \(\d{{4}}-\d\d-\d\d\)$", changes, re.M)
