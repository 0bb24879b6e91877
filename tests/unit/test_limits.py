"""Tests that docs/limits.md matches the code, and that every row has a test that goes beyond the
bound.
"""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from tools.limits.page import DOC, PARTS, page

ROOT = Path(__file__).resolve().parents[2]
LIMITS = list(itertools.chain.from_iterable(PARTS.values()))


def test_the_page_matches_the_code():
    assert DOC.read_text() == page(), "run `make limits`"


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.resource)
def test_the_test_of_each_row_exists(limit):
    path, _, name = limit.test.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    names = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in names


PRODUCTION = ("chalicelib", "relay", "gateway", "voice", "runtime", "common", "local")
BOUND = re.compile(r"_?(MAX|MOST)_")
RETRIES = re.compile(r"MAX_(ROUNDS|TRIES|PAGES|TURNS)|_MAX_PAGES")
"""Work of ours that is repeated a few times: nobody else can make it more."""

NO_ROW = {
    "chalicelib.bootstrap:MAX_CONNECTIONS": "connections that we open to AWS",
    "chalicelib.domain.delivery:MAX_BODY_BYTES": "what is posted is made of bounded events",
    "chalicelib.domain.delivery:MAX_RETRY_AFTER_S": "a wait, and the delivery's item has a row",
    "chalicelib.domain.endpoint:MAX_OVERLAP_S": "how long a former secret signs, too",
    "chalicelib.domain.clip:MAX_WAV_TEXT": "the largest WAV, which has a row, in base64",
    "chalicelib.handlers.clips:MAX_BODY": "the same, as JSON",
    "chalicelib.services.call.pair:MAX_STEPS": "steps of one request; the next goes on",
    "chalicelib.domain.metadata:MAX_DEPTH": "part of the row about metadata",
    "chalicelib.domain.agent:MAX_WHY": "text of a relay, which cuts it, too",
    "chalicelib.domain.trunk:MAX_DETAIL": "text of the gateway, which bounds it, too",
    "chalicelib.providers.outgoing_http:MAX_RETRY_AFTER": "part of the row about answers",
    "chalicelib.providers.twilio:MAX_TIME_LIMIT_S": "Twilio's own bound of a call",
    "chalicelib.services.delivery.delivery_log:MAX_LIMIT": "a page of deliveries, as of calls",
    "chalicelib.services.delivery.webhook_actions:MAX_SHOWN": "part of the row about answers",
    "chalicelib.problem_texts:MAX_LISTED": "how many choices a sentence of ours names",
    "chalicelib.providers.voice_hosts:MAX_CHOICE": "part of the row about voices",
    "chalicelib.handlers.calls:MAX_TRANSCRIPT": "entries of a transcript have a row",
    "chalicelib.handlers.voice_reports:MAX_HOST": "part of a report, which has a row",
    "chalicelib.providers.relay_door:MAX_PASSED_ON": "how we cut what a relay says",
    "chalicelib.store.table:_MAX_INTEGER": "what a number is stored as",
    "chalicelib.domain.trunk_fields:MAX_PREFIX": "a few characters of a trunk's settings",
    "chalicelib.store.trunks:MAX_MOVED": "numbers of a trunk have a row",
    "chalicelib.store.trunks:MAX_NAMED": "part of the row about trunks",
    "common.budget:MAX_WAIT_S": "how long an excess is held against an agent",
    "relay.network.dialler:_MAX_ADDRESSES": "attempts of ours to reach an agent",
    "relay.network.dialler:_MAX_CAUSE": "how we cut what we report",
    "relay.network.relay_pipe:MAX_FRAME": "as the row about messages",
    "relay.protocol.agent:MAX_DIGITS": "part of a message, which has a row",
    "relay.protocol.agent:MAX_MARK_NAME": "part of a message, which has a row",
    "relay.protocol.twilio_dialect:MAX_MARK_NAME": "part of a message, which has a row",
    "chalicelib.providers.twilio_webhooks:_MAX_DETECTION_MS": "a time that we show, or leave out",
    "gateway.trunks.remedies:MAX_DETAIL": "how we cut what we report",
    "gateway.sip.identity:MAX_TEXT": "how we cut what we tell of a party",
    "gateway.sip.identity:MAX_VALUES": "part of a SIP message, which has a row",
    "gateway.twiml.verbs:_MAX_PAUSE": "a document of the application's; the call has a row",
    "local.sip_phone:MAX_EVENTS": "a phone of ours on this machine",
    "common.voice_requests:MAX_ID": "part of a message, which has a row",
    "common.voice_requests:MAX_NAME": "part of a message, which has a row",
    "common.voice_requests:MAX_WAIT_S": "part of the row about the time for which a request waits",
    "chalicelib.domain.call_facts:MAX_RUNS": "how many runs of relays are shown",
    "common.call_facts:MAX_SUM": "what a number in a report may be",
    "common.call_facts:_MAX_PACKED": "part of the row about levels",
    "common.call_facts:MAX_RELAY": "part of a report, which has a row",
    "gateway.rtp.voice_quality:_MAX_BURST": "a bound of a formula",
    "gateway.rtp.voice_quality:_MAX_SAMPLES": "counts of a minute, one a second",
    "common.media_token:MAX_LENGTH": "part of a request's head, which has a row",
}
"""Bounds that need no row, each with the reason."""


def _bounds():
    """Names of the constants that look like bounds, as `module:NAME`."""
    for path in (each for part in PRODUCTION for each in (ROOT / part).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            for name in (each.id for each in targets if isinstance(each, ast.Name)):
                if BOUND.match(name) and not RETRIES.fullmatch(name):
                    yield f"{module}:{name}"


def test_every_bound_in_the_code_has_a_row_or_a_reason():
    rows = {limit.constant for limit in LIMITS}
    assert set(_bounds()) - rows == set(NO_ROW)
