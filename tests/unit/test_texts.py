"""The table of all texts about failures and endings that people, agents and programs' authors meet,
by the door at which they meet them, and the rules that each has to keep.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from chalicelib import problem_texts, wrong_values
from chalicelib.domain import endings
from chalicelib.domain.call_transitions import EndReason
from chalicelib.handlers.mcp import remedies
from chalicelib.handlers.mcp.tools import INSTRUCTIONS, TOOLS
from chalicelib.problem_codes import CODES
from chamade import endings as client_endings
from chamade.cli import failures
from gateway.trunks import remedies as trunk_remedies
from operations import sweep
from relay.network import dialler
from tests.support.engine import ROOT
from tests.unit.test_remedies import INNER, REQUEST, texts

OF_REST = "REST"
"""The only door whose texts may name requests."""

DETAIL_OF_ITS_OWN = {
    "bad_key", "too_large", "cross_site", "invalid", "call_not_ringing", "call_not_active",
    "call_over", "call_outbound", "ring_deadline_passed", "country_not_allowed", "premium_number",
    "trunk_not_registered", "bad_number", "wrong_host", "bad_caller_id", "no_caller_id", "too_long",
    "too_many_dials", "dial_rate", "recently_declined", "too_many_dids", "number_not_found",
    "too_many_recordings",
    "call_held", "call_transferred", "transfer_under_way", "transfer_not_answered", "transfer_leg",
    "no_transfer", "refer_unsupported", "bad_clip", "headers_too_long",
}  # fmt: skip
"""Codes whose failures say in each case what is wrong."""
OF_MACHINES = {"trunk_not_found", "bad_token", "not_active", "owned_elsewhere"}
OF_MACHINES |= {"one_gateway", "gateway_refused", "recording_over"}
"""Codes that only relays and gateways get."""


def sentences_of(door: str) -> Iterator[str]:
    """The texts of a door that are whole sentences."""
    match door:
        case "problems":
            yield from (text for text in problem_texts.DETAILS.values() if isinstance(text, str))
        case "REST":
            yield from (text for text in problem_texts.REMEDIES.values() if isinstance(text, str))
        case "MCP":
            yield from remedies._BY_CODE.values()
            yield from remedies._READING.values()
            yield remedies.OTHERWISE
            yield from (tool.description for tool in TOOLS.values())
            yield from INSTRUCTIONS.split("\n\n")
        case "command line":
            yield from failures._REMEDIES_BY_CODE.values()
            yield from (text for _, text in failures._REMEDIES)
        case "agents that are dialled":
            yield from dialler._REMEDIES.values()
        case "calls that are over":
            yield from (
                endings.why_over(reason, direction)
                for reason in (*EndReason, None)
                for direction in ("inbound", "outbound")
            )


SENTENCES = ["problems", OF_REST, "MCP", "command line", "agents that are dialled",
             "calls that are over"]  # fmt: skip


def clauses_of(door: str) -> Iterator[str]:
    """The texts of a door that are parts of a sentence."""
    match door:
        case "titles":
            yield from (title for _, title in CODES.values())
        case "wrong values":
            yield from wrong_values._WANTED.values()
        case "client":
            yield from client_endings.WHY.values()
        case "trunks":
            yield from trunk_remedies._FAILURES.values()
        case "sweep":
            yield from sweep._WORDS.values()


CLAUSES = ["titles", "wrong values", "client", "trunks", "sweep"]

FORBIDDEN = {
    "a prefix or phrase of pydantic's": re.compile(r"Value error|should (be|match)|Input "),
    "a regular expression": re.compile(r"\^|\\d|\[[A-Za-z0-9]-[A-Za-z0-9]|\$$"),
    "a type of Python's": re.compile(r"\b(str|int|dict|NoneType|boolean|dictionary|instance)\b"),
    "a class": re.compile(r"\b[A-Z][a-z]+[A-Z][a-z]+(Error|Settings|Changes|Query)\b"),
    "the machine's way to say it": re.compile(r"over REST|is failed|errno|Traceback"),
}


@pytest.mark.parametrize("door", [*SENTENCES, *CLAUSES])
def test_no_text_speaks_of_our_insides(door):
    every = [*sentences_of(door), *clauses_of(door)]
    assert every
    found = [
        (what, text) for text in every for what, sign in FORBIDDEN.items() if sign.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("door", [*SENTENCES, *CLAUSES])
def test_requests_are_named_by_rest_alone(door):
    if door == OF_REST:
        assert all(map(REQUEST.search, filter(None, sentences_of(door))))
        return
    named = [text for text in (*sentences_of(door), *clauses_of(door)) if REQUEST.search(text)]
    assert named == []


@pytest.mark.parametrize("door", SENTENCES)
def test_sentences_begin_and_end_as_sentences(door):
    templates = re.compile(r"^{\w+}$")
    for text in sentences_of(door):
        if templates.match(text):
            continue  # the failure's own words
        assert text[0].isupper() or text[0] in "`{'" or REQUEST.match(text), text
        assert text.rstrip()[-1] in '.?)"' or text.endswith("make run"), text


def test_every_code_says_what_is_wrong_or_its_failures_do():
    silent = set(CODES) - set(problem_texts.DETAILS) - DETAIL_OF_ITS_OWN - OF_MACHINES
    assert silent == {"no_trunk"}, "its remedy says it all"


def test_each_remedy_of_rest_has_one_in_the_command_line():
    assert set(problem_texts.REMEDIES) <= set(failures._REMEDIES_BY_CODE)


def test_the_domain_speaks_no_http():
    verbs = re.compile(r"\b(PATCH|PUT|POST|DELETE) (it|with|the)\b|over REST")
    found = [
        (path.name, text)
        for layer in INNER
        for path in sorted((ROOT / "chalicelib" / layer).rglob("*.py"))
        for text in texts(path)
        if verbs.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("words", [endings.WHY, client_endings.WHY])
def test_every_way_to_end_has_a_clause(words):
    assert set(words) == set(EndReason)
    for clause in words.values():
        assert re.fullmatch(r"[a-z][^_.]*", clause), "a clause, without codes and full stop"


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
def test_the_dashboard_says_sentences_without_codes():
    script = (
        "import * as labels from './dashboard/api/labels.js';"
        "import { DELIVERY_ERRORS } from './dashboard/api/deliveries.js';"
        "console.log(JSON.stringify([Object.values(labels.END_REASONS),"
        " Object.values(DELIVERY_ERRORS)].flat(3).filter(Boolean)))"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    every = json.loads(done.stdout)
    assert len(every) > len(EndReason)
    for text in every:
        assert re.fullmatch(r"[A-Z].*\.", text), text
        assert not REQUEST.search(text)
        assert not any(sign.search(text) for sign in FORBIDDEN.values()), text
