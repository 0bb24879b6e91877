"""Tests of `<Connect><Stream>`: audio in both directions, at the right time."""

from __future__ import annotations

import asyncio
import base64
from asyncio import wait_for

import numpy as np
import pytest

from gateway.media.playout_queue import LIMIT, SILENT_FRAME

TO = "+15551230000"
PARAMETERS = '<Parameter name="who" value="a &amp; b"/>'


@pytest.fixture
def connect(application, media, phone):
    """An answered call: (the phone's end, the server's end)."""

    async def place():
        application.on(
            "/voice",
            f'<Connect><Stream url="{media.url}/s" name="n">{PARAMETERS}</Stream></Connect>'
            "<Redirect>/after-stream</Redirect>",
        )
        application.on("/after-stream", "<Hangup/>")
        call = await phone.place_call(TO)
        session = await media.accept()
        assert call.answered.is_set()
        return call, session

    return place


async def wait_for_audio(call, ulaw):
    assert await wait_for(call.wait_heard(ulaw), 5) >= 0


async def test_a_stream_starts_with_the_messages_of_twilio(connect):
    call, session = await connect()
    connected, start = session.log[:2]
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert session.sid.startswith("MZ")
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": session.sid,
        "start": {
            "accountSid": "AC" + "0123456789abcdef" * 2,
            "streamSid": session.sid,
            "callSid": call.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"who": "a & b"},
            "keys": True,  # ours: it takes keys to be pressed
        },
    }
    assert session.ws.subprotocol is None


async def test_the_server_hears_exactly_what_the_caller_says(connect, tone):
    call, session = await connect()
    speech = tone(440, 0.3)
    await wait_for(call.play(speech), 5)
    await session.hear(speech)
    messages = [m for m in session.log if m["event"] == "media"]
    assert [m["media"]["chunk"] for m in messages] == [str(i + 1) for i in range(len(messages))]
    assert [m["media"]["timestamp"] for m in messages] == [
        str(i * 20) for i in range(len(messages))
    ]
    assert [m["sequenceNumber"] for m in messages] == [str(i + 2) for i in range(len(messages))]
    assert {m["media"]["track"] for m in messages} == {"inbound"}
    assert {len(base64.b64decode(m["media"]["payload"])) for m in messages} == {160}


@pytest.mark.parametrize("size", [160, 20, 33, 1000, 4000])
async def test_the_caller_hears_exactly_what_the_server_says(connect, tone, size):
    call, session = await connect()
    speech = tone(523, 0.3)[:2333]
    for at in range(0, len(speech), size):
        await session.say(speech[at : at + size])
    await wait_for_audio(call, speech)
    rest = call.audio().replace(speech, b"")
    assert set(rest) == set(SILENT_FRAME)


async def test_audio_is_played_in_real_time_however_fast_it_comes(connect, tone):
    call, session = await connect()
    speech = tone(300, 0.5)
    await session.say(speech)
    await wait_for_audio(call, speech)
    loud = [h.at for h in call.received if h.frame != SILENT_FRAME]
    gaps = np.diff(loud)
    assert len(loud) == 25
    # A busy machine may be late with any frame, so the bounds are wide: all at once takes 0 s.
    assert 0.3 < loud[-1] - loud[0] < 1.5
    assert np.median(gaps) == pytest.approx(0.02, abs=0.01)


async def test_the_caller_gets_fifty_frames_a_second_from_the_answer_on(connect):
    call, _session = await connect()
    await wait_for(call.wait_frames(30), 5)
    elapsed = call.received[29].at - call.received[0].at
    assert elapsed == pytest.approx(29 * 0.02, abs=0.03)


async def test_a_mark_comes_back_when_the_audio_before_it_is_played(connect, tone):
    call, session = await connect()
    await session.say(tone(440, 0.2))
    await session.mark("first")
    await session.say(tone(880, 0.2))
    await session.mark("second")
    first, second = await session.next("mark"), await session.next("mark")
    assert first["mark"] == {"name": "first"}
    assert first["streamSid"] == session.sid
    assert second["mark"] == {"name": "second"}
    began = next(h.at for h in call.received if h.frame != SILENT_FRAME)
    # Never before its audio is played; later on a busy machine.
    assert 0.17 < first["at"] - began < 1.2
    assert 0.37 < second["at"] - began < 1.4


async def test_a_mark_with_nothing_queued_comes_back_at_once(connect):
    _call, session = await connect()
    await session.mark("now")
    assert (await session.next("mark"))["mark"]["name"] == "now"


async def test_clear_silences_the_caller_and_returns_the_marks(connect, tone):
    call, session = await connect()
    await session.say(tone(440, 60))
    await session.mark("end")
    await wait_for_audio(call, tone(440, 0.1))
    await session.clear()
    assert (await session.next("mark"))["mark"]["name"] == "end"
    count = len(call.received)
    await wait_for(call.wait_frames(count + 10), 5)
    assert {h.frame for h in call.received[count + 3 :]} == {SILENT_FRAME}


async def test_after_a_clear_new_audio_plays_at_once(connect, tone):
    call, session = await connect()
    await session.say(tone(440, 60))
    await session.clear()
    answer = tone(700, 0.1)
    await session.say(answer)
    await wait_for_audio(call, answer)


async def test_the_callers_keys_reach_the_server(connect):
    call, session = await connect()
    for digit in "1#":
        call.dtmf(digit)
    digits = [(await session.next("dtmf"))["dtmf"] for _ in range(2)]
    assert digits == [
        {"digit": "1", "track": "inbound_track"},
        {"digit": "#", "track": "inbound_track"},
    ]


async def test_the_servers_keys_are_sent_after_its_queued_audio(connect, tone):
    call, session = await connect()
    speech = tone(440, 0.5)
    await session.say(speech)
    for digit in "1#":
        await session.send(event="dtmf", streamSid=session.sid, dtmf={"digit": digit})
    await session.mark("pressed")
    assert call.keys == ""
    await session.next("mark")
    await wait_for(call.wait_keys("1#"), 5)
    assert speech in call.audio()


async def test_invalid_keys_are_ignored(connect):
    call, session = await connect()
    await session.send(event="dtmf", streamSid=session.sid, dtmf={"digit": "12"})
    await session.send(event="dtmf", streamSid=session.sid, dtmf={"digit": "5"})
    await wait_for(call.wait_keys("5"), 5)


async def test_bad_messages_are_logged_and_ignored(connect, tone, caplog):
    call, session = await connect()
    await session.ws.send("{no json")
    await session.ws.send(b"\x00\x01")
    await session.send(event="dance", streamSid=session.sid)
    await session.send(event="media", streamSid="MZ-of-somebody-else", media={"payload": "//8="})
    await session.send(event="media", streamSid=session.sid, media={"payload": "%%%"})
    speech = tone(440, 0.06)
    await session.say(speech)
    await wait_for_audio(call, speech)
    codes = [r.error_code for r in caplog.records if hasattr(r, "error_code")]
    assert codes == [31924] * 5


async def test_a_flood_of_bad_messages_does_not_flood_the_log(connect, caplog):
    _call, session = await connect()
    for _ in range(100):
        await session.ws.send("nonsense")
    await session.mark("done")
    await session.next("mark")
    assert sum(getattr(r, "error_code", 0) == 31924 for r in caplog.records) == 5


async def test_a_message_in_fragments_is_one_message(connect, tone):
    call, session = await connect()
    speech = base64.b64encode(tone(440, 0.1)).decode()
    text = f'{{"event":"media","streamSid":"{session.sid}","media":{{"payload":"{speech}"}}}}'
    await session.ws.send([text[:50], text[50:100], text[100:]])
    await wait_for_audio(call, tone(440, 0.1))


async def test_when_the_server_closes_the_rest_of_the_twiml_runs(application, connect):
    call, session = await connect()
    await session.ws.close()
    post = await application.next("/after-stream")
    await wait_for(call.ended.wait(), 5)
    assert post.params["CallStatus"] == "in-progress"
    assert call.ending.status == "completed"


async def test_when_the_server_dies_the_rest_of_the_twiml_runs(application, connect):
    _call, session = await connect()
    session.ws.transport.abort()
    await application.next("/after-stream")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/s", "http://x/", "wss://x/?token=1"])
async def test_a_stream_that_cannot_open_runs_the_rest_of_the_twiml(
    application, phone, caplog, url
):
    application.on("/voice", f'<Connect><Stream url="{url}"/></Connect><Redirect>after</Redirect>')
    application.on("/after", "<Hangup/>")
    call = await phone.place_call(TO)
    await application.next("/after")
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "completed"
    assert 31920 in [getattr(r, "error_code", 0) for r in caplog.records]


async def test_the_application_can_connect_a_second_stream(application, connect, media, tone):
    call, session = await connect()
    application.on("/after-stream", f'<Connect><Stream url="{media.url}/2"/></Connect>')
    await session.ws.close()
    second = await media.accept()
    assert second.sid != session.sid
    assert second.start["sequenceNumber"] == "1"
    await second.say(tone(440, 0.1))
    await wait_for_audio(call, tone(440, 0.1))


async def test_when_the_caller_hangs_up_the_server_is_told(connect):
    call, session = await connect()
    call.hangup()
    stop = await session.next("stop")
    assert stop["stop"]["callSid"] == call.call_sid
    assert stop["streamSid"] == session.sid
    await session.next("closed")
    assert session.ws.close_code == 1000
    await wait_for(call.ended.wait(), 5)


async def test_audio_of_one_call_never_reaches_another(application, media, phone, tone):
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    ends = []
    for i in range(8):
        call = await phone.place_call(TO)
        ends.append((call, await media.accept(), tone(300 + 100 * i, 0.2)))
    for _call, session, speech in ends:
        await session.say(speech)
    for call, _session, speech in ends:
        await wait_for_audio(call, speech)
        assert set(call.audio().replace(speech, b"")) <= set(SILENT_FRAME)


async def test_the_metrics_count_streams_and_calls(gateway, connect):
    _call, _session = await connect()
    page = gateway.metrics.render(gateway.exchange.by_status(), {}).decode()
    assert 'gateway_calls{status="in-progress"} 1.0' in page
    assert "gateway_streams_open 1.0" in page


async def test_more_than_ten_minutes_of_audio_are_dropped_with_a_warning(
    gateway, connect, tone, caplog
):
    call, session = await connect()
    await session.say(b"\x01" * (LIMIT + 16_000))
    await session.mark("end")
    await session.clear()
    await session.next("mark")
    assert 31931 in [getattr(r, "error_code", 0) for r in caplog.records]
    assert 15_000 < gateway.metrics.bytes_dropped <= 16_000
    await session.say(tone(440, 0.1))
    await wait_for_audio(call, tone(440, 0.1))


async def test_audio_for_a_server_that_reads_too_slowly_is_dropped(gateway, connect, tone, caplog):
    call, session = await connect()
    stream = gateway.exchange.live(call.call_sid)._stream
    stream.pause_writing()
    await wait_for(call.play(tone(440, 0.1)), 5)
    stream.resume_writing()
    await wait_for(call.play(tone(700, 0.1)), 5)
    await session.hear(tone(700, 0.1))
    assert tone(440, 0.1) not in session.heard
    assert 31930 in [getattr(r, "error_code", 0) for r in caplog.records]


@pytest.mark.parametrize("audio", [False, True])
async def test_a_server_that_hangs_loses_the_call_within_two_seconds_to_another_stream(
    connect, application, media, tone, audio
):
    call, session = await connect()
    application.on("/after-stream", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    if audio:
        await session.say(tone(440, 0.3))
    began = asyncio.get_running_loop().time()
    session.ws.transport.pause_reading()
    another = await wait_for(media.accept(), 5)
    assert another.sid != session.sid
    speech = tone(700, 0.1)
    await another.say(speech)
    await wait_for_audio(call, speech)
    # HUNG_AFTER_S, a look, and room for a busy machine.
    assert 1.0 < asyncio.get_running_loop().time() - began < 4.0


async def test_a_server_that_only_listens_keeps_its_stream(connect, application, tone):
    call, session = await connect()
    speech = tone(440, 3.0)
    await wait_for(call.play(speech), 10)
    await session.hear(speech)
    assert [post.path for post in application.posts] == ["/voice"]


async def test_a_server_that_ends_during_the_handshake_does_not_silence_the_call(
    application, media, phone, tone
):
    async def end(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    dying = await asyncio.start_server(end, "127.0.0.1", 0)
    port = dying.sockets[0].getsockname()[1]
    redirect = "<Redirect>/after-stream</Redirect>"
    application.on("/voice", f'<Connect><Stream url="ws://127.0.0.1:{port}"/></Connect>{redirect}')
    application.on("/after-stream", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    async with dying:
        call = await phone.place_call(TO)
        session = await media.accept()
        await session.say(tone(440, 0.1))
        await wait_for_audio(call, tone(440, 0.1))
