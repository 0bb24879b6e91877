"""Live calls with a hosted voice: they speak and hear by text, and open no line of audio."""

from __future__ import annotations

import json

import httpx
import pytest

from chamade import AsyncClient, Call, Client, NoAudio
from chamade.blocking import Ringing
from chamade.decoding import decode
from chamade.live import AsyncRinging
from chamade.operations import Dids, Numbers
from tests.unit.client.conftest import CALL, KEY

CALL_ID = CALL["call_id"]
ACTIVE = {**CALL, "state": "active", "voice": "hosted", "voice_settings": {"speed": 1.5}}
OVER = {**ACTIVE, "state": "ended", "end_reason": "caller_hangup"}
AUDIO = {"url": "ws://127.0.0.1:9/a", "token": "t"}
HI = {"sequence": 1, "speaker": "caller", "text": "Hi.", "started_ms": 900}
HEARD = {"entries": [HI], "next": 1, "speaking": False, "state": "active"}
NOTHING_MORE = {"entries": [], "next": 1, "speaking": False, "state": "ended"}


class Api:
    """Answers by method and path, each answer once, the last one again; keeps what was asked."""

    def __init__(self, **answers: list[object]) -> None:
        self.asked: list[tuple[str, dict]] = []
        self.answers = answers

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        verb = request.url.path.removeprefix(f"/api/call/{CALL_ID}").strip("/") or "get"
        self.asked.append((verb, json.loads(request.content or b"{}")))
        left = self.answers[verb]
        shown = left.pop(0) if len(left) > 1 else left[0]
        status, shown = shown if isinstance(shown, tuple) else (200, shown)
        return httpx.Response(status, json=shown)

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]


def api_of_a_call(**answers: list[object]) -> Api:
    usual = {
        "accept": [{**ACTIVE, "audio": AUDIO}], "leave": [OVER], "get": [ACTIVE],
        "say": [{"utterance_id": "utt_1", "state": "queued"}], "clear": [{"cleared": []}],
        "dtmf": [{"queued": 1}],
    }  # fmt: skip
    return Api(**{**usual, **answers})


@pytest.fixture
def client_of():
    clients: list[Client] = []

    def make(transport: httpx.MockTransport) -> Client:
        clients.append(Client("https://api.example", KEY, transport=transport))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def ringing_in(client, **members):
    call = decode(Call, {**CALL, **members})
    if isinstance(client, AsyncClient):
        return AsyncRinging(client._shell, call)
    return Ringing(client._shell, client._portal, call)


def test_a_call_accepted_with_a_hosted_voice_speaks_without_opening_its_audio(client_of):
    api = api_of_a_call()
    wanted = {"name": "kate", "speed": 1.5}
    client = client_of(api.transport())
    with ringing_in(client).accept(voice="hosted", voice_settings=wanted) as call:
        assert call.info.voice_settings.speed == 1.5
        call.say("Hello.")
        call.dtmf("1#")
        call.clear()
        with pytest.raises(NoAudio, match='voice="own"'):
            call.audio.send(b"")
        assert call.end_reason is None
    assert call.end_reason == "caller_hangup"
    assert api.asked[0] == ("accept", {"voice": "hosted", "voice_settings": wanted})
    assert api.verbs == ["accept", "say", "dtmf", "clear", "leave"]


async def test_the_asyncio_client_does_the_same():
    api = api_of_a_call(transcript=[HEARD])
    async with (
        AsyncClient("https://api.example", KEY, transport=api.transport()) as client,
        ringing_in(client).accept(voice="hosted") as call,
    ):
        await call.say("Hello.", wait=True)
        assert (await call.listen()).text == "Hi."
        await call.dtmf("1")
        await call.clear()
        with pytest.raises(NoAudio):
            call.audio  # noqa: B018 - raises
    assert api.verbs == ["accept", "say", "transcript", "dtmf", "clear", "leave"]


def test_a_call_of_a_hosted_number_is_accepted_as_the_number_says(client_of):
    api = api_of_a_call()
    client = client_of(api.transport())
    with ringing_in(client).accept() as call:
        call.say("Hello.")
    assert api.asked[0] == ("accept", {})


def test_a_caller_who_hangs_up_ends_the_block_without_an_error(client_of):
    gone = (409, {"code": "call_not_active", "detail": "Over.", "call": OVER})
    leave = (409, {"code": "call_over", "detail": "Over.", "call": OVER})
    api = api_of_a_call(say=[gone], leave=[leave])
    client = client_of(api.transport())
    with ringing_in(client).accept(voice="hosted") as call:
        call.say("Hello.")
        raise AssertionError("the block goes on")
    assert call.end_reason == "caller_hangup"


def test_an_auto_answered_call_that_waits_for_a_place_is_entered_once_it_is_answered(client_of):
    rings = {**ACTIVE, "state": "ringing", "auto_answer": True, "voice_detail": "busy"}
    api = api_of_a_call(get=[rings, rings, ACTIVE])
    client = client_of(api.transport())
    with ringing_in(client, auto_answer=True).accept() as call:
        assert call.info.state == "active"
    assert api.verbs == ["get", "get", "get", "leave"]


def test_a_voice_that_is_asked_for_is_given_to_a_number_with_auto_answer_too(client_of):
    faster = (409, {"code": "call_not_ringing", "detail": "No.", "call": ACTIVE})
    api = api_of_a_call(accept=[faster])
    client = client_of(api.transport())
    with ringing_in(client, auto_answer=True).accept(voice="hosted") as call:
        call.say("Hello.")
    assert api.verbs == ["accept", "get", "say", "leave"]


def test_a_hosted_call_is_joined_by_text_and_left_without_hanging_up(client_of):
    api = api_of_a_call(transcript=[HEARD, NOTHING_MORE])
    client = client_of(api.transport())
    with client.attach(CALL_ID, hang_up=False) as call:
        assert [one.text for one in call.transcript()] == ["Hi."]
    assert "leave" not in api.verbs


def test_a_dialled_hosted_call_tells_whether_it_was_answered(client_of):
    connecting = {**ACTIVE, "direction": "outbound", "state": "connecting"}
    busy = {**OVER, "direction": "outbound", "state": "failed", "end_reason": "busy"}
    for last, answered in ((ACTIVE, True), (busy, False)):
        api = api_of_a_call(get=[connecting, last])
        dialled = httpx.MockTransport(
            lambda request, api=api: (
                httpx.Response(201, json=connecting)
                if request.url.path == "/api/call"
                else api._answer(request)
            )
        )
        with client_of(dialled).call("sip:1@x.example", voice="hosted") as call:
            assert call.answered() is answered
        assert ("leave" in api.verbs) is answered


def test_voices_are_listed(client_of):
    shown = {"voices": [{"name": "kate", "language": "en-US", "engine": "hibari"}],
             "languages": ["en-US", "fr-FR"]}  # fmt: skip
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=shown))
    voices = client_of(transport).voices()
    assert [one.name for one in voices.voices] == ["kate"]
    assert voices.languages == ("en-US", "fr-FR")


def test_the_voice_of_a_number_is_changed_and_its_settings_are_taken_away():
    change = Numbers.change.request("+15555500101", voice="hosted", voice_settings={"speed": 2})
    assert change.body == {"voice": "hosted", "voice_settings": {"speed": 2}}
    assert Numbers.change.request("+1", voice_settings={}).body == {"voice_settings": None}
    added = Dids.add.request("+331", voice="hosted", voice_settings={"language": "fr-FR"})
    assert added.body["voice_settings"] == {"language": "fr-FR"}
