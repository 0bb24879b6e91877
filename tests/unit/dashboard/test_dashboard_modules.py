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
from typing import get_args

import pytest

from chalicelib.domain.call import CallState, EndReason
from chalicelib.domain.call_line import HeldBy, TransferMode, TransferState
from chalicelib.domain.delivery import DeliveryState
from chalicelib.domain.event import EventType
from chalicelib.domain.transcript import Why
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.handlers import recordings
from common import g711
from common.call_facts import MARKS
from tests.unit.test_docstrings import QUESTIONS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "dashboard"
HERE = Path(__file__).parent
WORDS = {
    "states": CallState,
    "reasons": EndReason,
    "trunk": TrunkStatus,
    "deliveries": DeliveryState,
    "events": EventType,
}
LITERALS = {
    "transfers": TransferState,
    "transferModes": TransferMode,
    "recordings": recordings.RecordingState,
    "recordingFailures": recordings.Why,
}

MODULES = sorted(PAGE.rglob("*.js"))
ROOMS = ["api", "call", "widgets", "pages", ""]
"""Folders of the page, from the ground up; on top is `app.js`, in none."""
WITHOUT_SCREEN = [module for module in MODULES if module.parent.name in {"api", "call"}]
WORKLETS = {"call/capture.js", "call/playback.js"}
"""Modules that load only where the browser runs audio."""

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")


def name_of(module: Path) -> str:
    return module.relative_to(PAGE).as_posix()


def room_of(module: Path) -> str:
    return name_of(module).rpartition("/")[0]


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
    words["marks"] = sorted(MARKS)
    words["interruptions"] = sorted(get_args(Why))
    words |= {name: sorted(get_args(kind)) for name, kind in LITERALS.items()}
    words["holds"] = sorted([*get_args(HeldBy), "far_end"])
    ran = node("--test", str(module), API_WORDS=json.dumps(words))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# skipped 0" in ran.stdout


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_is_javascript(module):
    checked = node("--check", str(module))
    assert checked.returncode == 0, checked.stderr


def test_mulaw_is_that_of_the_relay():
    script = (
        'import { LINEAR, encode } from "./dashboard/call/g711.js"; console.log(JSON.stringify('
        "[[...LINEAR], Array.from({ length: 65536 }, (_, i) => encode((i << 16) >> 16))]))"
    )
    linear, codes = json.loads(node("--input-type=module", "-e", script).stdout)
    assert linear == g711.DECODE_TABLE.tolist()
    assert codes == g711.ENCODE_TABLE.tolist()


def test_no_markup_is_made_of_text():
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    found = [name_of(module) for module in MODULES if sinks.search(module.read_text())]
    assert found == []


def test_nothing_is_inline():
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_nothing_comes_from_elsewhere():
    named = re.compile(r"https?://(?!www\.w3\.org/2000/svg)[a-z0-9]", re.I)
    for path in (path for path in PAGE.rglob("*") if path.is_file()):
        assert not named.search(path.read_text()), path.name


def test_a_room_imports_from_those_below_it_only():
    imported = re.compile(r"""(?:^import |\bfrom |\bimport\()"([^"]+)\"""", re.M)
    wrong = []
    for module in MODULES:
        allowed = ROOMS[: ROOMS.index(room_of(module)) + 1]
        for specifier in imported.findall(module.read_text()):
            target = (module.parent / specifier).resolve()
            if target not in MODULES or room_of(target) not in allowed:
                wrong.append(f"{name_of(module)} imports {specifier}")
    assert wrong == []


def test_files_that_modules_load_by_url_exist():
    loaded = re.compile(r'new URL\("([\w./-]+\.\w+)", import\.meta\.url\)')
    files = [
        (module.parent / url).resolve()
        for module in MODULES
        for url in loaded.findall(module.read_text())
    ]
    assert files
    assert [path for path in files if not path.is_file()] == []


@pytest.mark.parametrize("module", WITHOUT_SCREEN, ids=name_of)
def test_requests_and_calls_need_no_screen(module):
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", module.read_text(), flags=re.S)
    assert not re.search(r"\b(?:document|window)\b", code)
    if name_of(module) not in WORKLETS:
        loaded = node("--input-type=module", "-e", f'import "./dashboard/{name_of(module)}"')
        assert (loaded.returncode, loaded.stderr) == (0, "")


def test_no_description_opens_with_a_question_word():
    opened = re.compile(r"^ *(?:/\*\*(?: |\n \* )|// )(\w+)", re.M)
    found = [
        f"{name_of(module)}: {word}"
        for module in MODULES
        for word in opened.findall(module.read_text())
        if word in QUESTIONS
    ]
    assert found == []
