"""The dashboard's modules that need no browser: their own tests, run by Node, and what they share
with the rest of the system held to it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chalicelib.domain.call import CallState, EndReason
from chalicelib.domain.delivery import DeliveryState
from chalicelib.domain.trunk import TrunkStatus
from wire import g711

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "dashboard"
HERE = Path(__file__).parent
WORDS = {
    "states": CallState,
    "reasons": EndReason,
    "trunk": TrunkStatus,
    "deliveries": DeliveryState,
}

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")


def node(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | env,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("module", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_module(module):
    words = {name: sorted(kind.value for kind in enum) for name, enum in WORDS.items()}
    ran = node("--test", str(module), API_WORDS=json.dumps(words))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# skipped 0" in ran.stdout


@pytest.mark.parametrize("module", sorted(PAGE.glob("*.js")), ids=lambda path: path.name)
def test_is_javascript(module):
    checked = node("--check", str(module))
    assert checked.returncode == 0, checked.stderr


def test_mulaw_is_that_of_the_relay():
    ask = (
        'import("./dashboard/g711.js").then(({ LINEAR, encode }) => console.log(JSON.stringify('
        "[[...LINEAR], Array.from({ length: 65536 }, (_, i) => encode((i << 16) >> 16))])))"
    )
    linear, codes = json.loads(node("-e", ask).stdout)
    assert linear == g711.DECODE_TABLE.tolist()
    assert codes == g711.ENCODE_TABLE.tolist()


def test_no_markup_is_made_of_text():
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    found = [path.name for path in PAGE.glob("*.js") if sinks.search(path.read_text())]
    assert found == []


def test_nothing_is_inline():
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_nothing_comes_from_elsewhere():
    named = re.compile(r"https?://(?!www\.w3\.org/2000/svg)[a-z0-9]", re.I)
    for path in PAGE.iterdir():
        assert not named.search(path.read_text()), path.name
