"""A voice host's HTTP: places, voices, health, and requests that are refused."""

from __future__ import annotations

import json
import time

from common import control
from tests.unit.voice.host_stack import SECRET, Stack, until
from voice.core.places import HELD_S, Places
from voice.network.server import MAX_BODY


async def test_a_place_is_reserved_once_for_each_call(stack: Stack):
    status, answer = await stack.post("/v1/reserve", {"call_id": "call_1"})
    assert status == 200
    assert answer == {"host": "voice-1", "url": "ws://voice.test:8705", "free": 1}
    assert (await stack.post("/v1/reserve", {"call_id": "call_1"}))[1]["free"] == 1
    assert (await stack.post("/v1/reserve", {"call_id": "call_2"}))[1]["free"] == 0
    status, answer = await stack.post("/v1/reserve", {"call_id": "call_3"})
    assert (status, answer["code"]) == (503, "busy")
    assert (await stack.post("/v1/release", {"call_id": "call_1"}))[0] == 200
    assert (await stack.post("/v1/reserve", {"call_id": "call_3"}))[0] == 200


async def test_voices_and_languages_are_listed_with_what_is_taken(stack: Stack):
    await stack.call()
    await until(lambda: stack.host.places.calls == 1)
    assert await stack.post("/v1/voices", {}) == (
        200,
        {
            "voices": [
                {"name": "ann", "language": "en-US", "engine": "tones"},
                {"name": "bea", "language": "fr-FR", "engine": "tones"},
            ],
            "languages": ["en-US", "fr-FR"],
            "capacity": 2,
            "calls": 1,
        },
    )


async def test_a_voice_or_language_that_there_is_not_is_refused_with_the_choices(stack: Stack):
    status, answer = await stack.post("/v1/reserve", {"call_id": "call_1", "name": "zoe"})
    assert (status, answer["code"], answer["choices"]) == (422, "unknown_voice", ["ann", "bea"])
    status, answer = await stack.post("/v1/reserve", {"call_id": "call_1", "language": "it-IT"})
    assert (status, answer["code"]) == (422, "unknown_language")
    assert answer["choices"] == ["en-US", "fr-FR"]


async def test_requests_that_are_not_signed_freshly_are_refused(stack: Stack):
    status, answer = await stack.post("/v1/reserve", {"call_id": "call_1"}, secret="another")
    assert (status, answer["code"]) == (401, "bad_signature")
    body = json.dumps({"call_id": "call_1"}).encode()
    old = control.sign(SECRET, "/v1/reserve", body, int(time.time()) - 120)
    other_path = control.sign(SECRET, "/v1/release", body, int(time.time()))
    for signature in (old, other_path, ""):
        async with stack.http.post(
            stack.base + "/v1/reserve", data=body, headers={control.HEADER: signature}
        ) as answer:
            assert answer.status == 401
    assert stack.host.places.free(0) == 2


async def test_malformed_and_endless_bodies_are_refused(stack: Stack):
    for body in (b"{", b"[]", b'{"call_id": "a b"}', b'{"call_id": 5}', b"\xff", b"[" * 50_000):
        status, answer = await stack.post("/v1/reserve", body)
        assert (status, answer["code"]) == (400, "malformed")
    async with stack.http.post(stack.base + "/v1/reserve", data=b"x" * (MAX_BODY + 1)) as answer:
        assert answer.status == 413


async def test_a_calls_path_answers_a_request_that_is_no_websocket_with_426(stack: Stack):
    headers = stack.signature("/v1/call/call_1", b"")
    async with stack.http.get(stack.base + "/v1/call/call_1", headers=headers) as answer:
        assert answer.status == 426
    assert stack.host.places.calls == 0


async def test_health_and_counts_need_no_signature(stack: Stack):
    relay = await stack.call()
    await relay.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    async with stack.http.get(stack.base + "/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    async with stack.http.get(stack.base + "/metrics") as answer:
        page = await answer.text()
    assert "chamade_voice_calls 1.0" in page
    assert 'chamade_voice_happened_total{what="finished"} 1.0' in page


def test_an_account_has_so_many_places_and_leaves_the_others_to_others():
    places = Places(4, per_account=2)
    assert places.reserve("call_1", 0.0, "acc_1")
    assert places.take("call_1", 0.0)
    assert places.reserve("call_2", 0.0, "acc_1")
    assert places.reserve("call_2", 1.0, "acc_1")  # its own place again
    assert not places.reserve("call_3", 1.0, "acc_1")
    assert places.reserve("call_4", 1.0, "acc_2")
    places.leave("call_1")
    assert places.reserve("call_3", 1.0, "acc_1")
    places.release("call_3")
    assert places.reserve("call_5", HELD_S + 0.5, "acc_1")  # call_2 keeps its place still
    assert not places.reserve("call_6", HELD_S + 0.5, "acc_1")
    assert places.reserve("call_6", HELD_S + 1, "acc_1")  # and gives it up now


def test_a_reservation_ends_if_its_socket_does_not_come():
    places = Places(1)
    assert places.reserve("call_1", 0.0)
    assert not places.reserve("call_2", HELD_S - 1)
    assert places.reserve("call_2", HELD_S)
    assert not places.take("call_1", HELD_S + 1)
    assert places.take("call_2", HELD_S + 1)
    places.leave("call_2")
    assert places.free(HELD_S + 2) == 1
