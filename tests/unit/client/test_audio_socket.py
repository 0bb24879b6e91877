"""Tests of the audio socket against a real WebSocket server: speech, barge-in, endings."""

from __future__ import annotations

import asyncio
import wave

import pytest

from chamade import CallGone, Dropped, Dtmf, Format, Mark, Refusal
from chamade.audio import line
from tests.unit.client.relay import FRAME, on_the_line, take


async def test_the_socket_requests_its_format_with_the_token_in_a_header(relay):
    async with on_the_line(relay, Format("mulaw", 8000)) as audio:
        assert await audio.started()
        request = relay.connections[0].request
        assert request.path.endswith("/call_a?format=mulaw&rate=8000")
        assert request.headers["Authorization"] == "Bearer secret"


async def test_received_audio_and_events_come_in_order_until_the_call_ends(relay):
    async with on_the_line(relay) as audio:
        await audio.started()
        socket = relay.connections[0]
        pressed = []
        audio.on_dtmf(lambda _: 1 / 0)  # must not cost the call
        audio.on_dtmf(pressed.append)
        await socket.send(FRAME)
        await relay.say(socket, type="dtmf", digit="5")
        await relay.say(socket, type="news of a later version", digit="6")
        await relay.say(socket, type="dropped", direction="to_agent", ms=40, why="slow_agent")
        await relay.say(socket, type="error", code="bad_field", detail="no")
        await socket.send(FRAME[:7])
        await relay.stop("callee_hangup")
        got = [one async for one in audio.messages()]
        assert got == [
            FRAME, Dtmf("5"), Dropped("to_agent", 40, "slow_agent"), Refusal("bad_field", "no"),
            FRAME[:7],
        ]  # fmt: skip
        assert (pressed, audio.keys) == (["5"], "5")
        assert (audio.stop.reason, audio.stop.state) == ("callee_hangup", "ended")
        with pytest.raises(CallGone, match="the called party hung up") as gone:
            await audio.send(FRAME)
        assert (gone.value.call_id, gone.value.reason) == ("call_a", "callee_hangup")


async def test_no_audio_is_sent_before_the_call_is_answered(relay):
    held = asyncio.Event()
    relay.on_connect = lambda _: held.wait()
    async with on_the_line(relay) as audio:
        speaking = asyncio.create_task(audio.send(FRAME))
        await audio.clear()
        await relay.until(lambda: relay.connections)
        assert not speaking.done()
        await relay.start(relay.connections[0])
        held.set()
        await speaking
        await relay.until(lambda: relay.audio == FRAME)
        assert relay.received == [FRAME]


async def test_a_call_that_ends_unanswered_ends_the_socket(relay):
    async def refuse(connection):
        await relay.say(connection, type="stop", reason="busy", state="failed")
        await connection.close(1000)

    relay.on_connect = refuse
    async with on_the_line(relay) as audio:
        assert not await audio.started()
        assert [frame async for frame in audio] == []
        assert len(relay.connections) == 1


async def test_long_speech_is_sent_in_pieces_and_arrives_complete(relay):
    speech = bytes(range(250)) * 1000
    async with on_the_line(relay) as audio:
        await audio.send(speech)
        await relay.until(lambda: relay.audio == speech)
        assert all(len(piece) <= 32_000 and len(piece) % 2 == 0 for piece in relay.received)


async def test_play_returns_when_the_audio_has_been_played(relay, tmp_path):
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(FRAME)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(path))
        mark = await relay.wait_for_message("mark")
        assert relay.audio == FRAME
        assert not playing.done()
        await relay.mark(mark["name"])
        assert await playing is True
        await relay.stop()
        assert [one async for one in audio.messages()] == []


async def test_only_a_bounded_part_of_long_speech_is_queued(relay):
    second = bytes(32_000)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(second * 100))
        await relay.wait_for_message("mark", 2)
        await asyncio.sleep(0.1)
        assert len(relay.audio) == len(second) * 60
        for count in range(1, 5):
            mark = relay.messages("mark")[count - 1]
            await relay.mark(mark["name"])
            await relay.wait_for_message("mark", min(count + 2, 4))
        assert await playing is True
        assert len(relay.audio) == len(second) * 100


async def test_clear_stops_audio_being_played_and_audio_not_sent_yet(relay):
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(bytes(32_000) * 100))
        queued = asyncio.create_task(audio.send(FRAME))
        await relay.wait_for_message("mark", 2)
        await audio.clear()
        await relay.wait_for_message("clear")
        for mark in relay.messages("mark"):
            await relay.mark(mark["name"], played=False)
        assert await playing is False
        await queued
        await audio.send(b"after")
        await relay.until(lambda: b"after" in relay.received)
        assert FRAME not in relay.received
        assert relay.received[-1] == b"after"


async def test_marks_of_the_program_are_returned_among_received_audio(relay):
    async with on_the_line(relay) as audio:
        await audio.mark("one")
        await audio.mark("one")
        await relay.wait_for_message("mark", 2)
        await relay.mark("one", played=True)
        await relay.mark("one", played=False)
        assert await take(audio, 2) == [Mark("one", True), Mark("one", False)]


async def test_invalid_keys_are_refused_before_they_are_sent(relay):
    async with on_the_line(relay) as audio:
        await audio.dtmf("1w42#")
        assert await relay.wait_for_message("dtmf") == {"type": "dtmf", "digits": "1w42#"}
        for wrong in ("", "x", "1" * 65, "1 2"):
            with pytest.raises(ValueError, match="pressed"):
                await audio.dtmf(wrong)


async def test_play_raises_call_gone_if_the_call_ends_meanwhile(relay):
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.wait_for_message("mark")
        await relay.stop()
        with pytest.raises(CallGone):
            await playing


async def test_audio_unplayed_at_a_hang_up_raises_call_gone(relay):
    """The relay gives the marks back first, as its stream is gone, then says that it is over."""
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.wait_for_message("mark"))["name"], played=False)
        await relay.stop()
        with pytest.raises(CallGone, match="the caller hung up"):
            await playing


async def test_audio_unplayed_at_a_broken_stream_returns_false(relay, monkeypatch):
    monkeypatch.setattr("chamade.audio.socket.HANGING_UP_S", 0.05)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.wait_for_message("mark"))["name"], played=False)
        assert await playing is False
        await audio.send(FRAME)


async def test_a_program_that_does_not_listen_can_speak_and_gets_the_newest_audio(
    relay, monkeypatch
):
    monkeypatch.setattr(line, "BUFFER_S", 1.0)
    async with on_the_line(relay) as audio:
        await audio.started()
        socket = relay.connections[0]
        for second in range(40):
            await socket.send(bytes([second]) * 32_000)
        await relay.say(socket, type="dtmf", digit="1")
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.wait_for_message("mark"))["name"])
        assert await playing
        lost, *rest = await take(audio, 12)
        assert lost == Dropped("to_agent", 30_000, "slow_reader")
        assert rest == [*(bytes([second]) * 32_000 for second in range(30, 40)), Dtmf("1")]
        pressed = asyncio.Event()
        audio.on_dtmf(lambda _: pressed.set())
        await socket.send(FRAME)
        await relay.say(socket, type="dtmf", digit="2")
        await pressed.wait()
        audio.skip()
        assert await take(audio, 1) == [Dtmf("2")]
