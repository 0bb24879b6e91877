"""The audio socket against a real WebSocket server: speech, barge-in, lost connections."""

from __future__ import annotations

import asyncio
import wave

import pytest

from chamade import AudioLost, CallGone, Dropped, Dtmf, Format, Mark, Refusal
from chamade.audio import line
from tests.unit.client.relay import fake_relay, on_the_line

FRAME = bytes(range(256)) * 2 + bytes(128)


@pytest.fixture
async def relay():
    async with fake_relay() as relay:
        yield relay


async def taken(audio, count):
    async with asyncio.timeout(5):
        return [await audio.next() for _ in range(count)]


async def test_it_asks_for_its_format_with_the_token_in_a_header(relay):
    async with on_the_line(relay, Format("mulaw", 8000)) as audio:
        assert await audio.started()
        request = relay.connections[0].request
        assert request.path.endswith("/call_a?format=mulaw&rate=8000")
        assert request.headers["Authorization"] == "Bearer secret"


async def test_what_comes_is_heard_in_order_until_the_call_is_over(relay):
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
        with pytest.raises(CallGone, match="callee_hangup") as gone:
            await audio.send(FRAME)
        assert (gone.value.call_id, gone.value.reason) == ("call_a", "callee_hangup")


async def test_nothing_is_said_before_the_call_is_answered(relay):
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
        assert relay.heard == [FRAME]


async def test_a_call_that_is_never_answered_ends(relay):
    async def refuse(connection):
        await relay.say(connection, type="stop", reason="busy", state="failed")
        await connection.close(1000)

    relay.on_connect = refuse
    async with on_the_line(relay) as audio:
        assert not await audio.started()
        assert [frame async for frame in audio] == []
        assert len(relay.connections) == 1


async def test_long_speech_goes_in_pieces_and_arrives_whole(relay):
    speech = bytes(range(250)) * 1000
    async with on_the_line(relay) as audio:
        await audio.send(speech)
        await relay.until(lambda: relay.audio == speech)
        assert all(len(piece) <= 32_000 and len(piece) % 2 == 0 for piece in relay.heard)


async def test_play_returns_when_it_was_heard(relay, tmp_path):
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(FRAME)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(path))
        mark = await relay.told("mark")
        assert relay.audio == FRAME
        assert not playing.done()
        await relay.mark(mark["name"])
        assert await playing is True
        await relay.stop()
        assert [one async for one in audio.messages()] == []


async def test_hours_of_speech_are_not_queued_at_once(relay):
    second = bytes(32_000)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(second * 100))
        await relay.told("mark", 2)
        await asyncio.sleep(0.1)
        assert len(relay.audio) == len(second) * 60
        for count in range(1, 5):
            mark = relay.messages("mark")[count - 1]
            await relay.mark(mark["name"])
            await relay.told("mark", min(count + 2, 4))
        assert await playing is True
        assert len(relay.audio) == len(second) * 100


async def test_clear_cuts_short_what_is_played_and_what_was_not_sent_yet(relay):
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(bytes(32_000) * 100))
        queued = asyncio.create_task(audio.send(FRAME))
        await relay.told("mark", 2)
        await audio.clear()
        await relay.told("clear")
        for mark in relay.messages("mark"):
            await relay.mark(mark["name"], played=False)
        assert await playing is False
        await queued
        await audio.send(b"after")
        await relay.until(lambda: b"after" in relay.heard)
        assert FRAME not in relay.heard
        assert relay.heard[-1] == b"after"


async def test_marks_of_the_program_come_back_among_what_is_heard(relay):
    async with on_the_line(relay) as audio:
        await audio.mark("one")
        await audio.mark("one")
        await relay.told("mark", 2)
        await relay.mark("one", played=True)
        await relay.mark("one", played=False)
        assert await taken(audio, 2) == [Mark("one", True), Mark("one", False)]


async def test_keys_are_checked_here(relay):
    async with on_the_line(relay) as audio:
        await audio.dtmf("1w42#")
        assert await relay.told("dtmf") == {"type": "dtmf", "digits": "1w42#"}
        for wrong in ("", "x", "1" * 65, "1 2"):
            with pytest.raises(ValueError, match="pressed"):
                await audio.dtmf(wrong)


async def test_a_connection_that_breaks_is_made_again_and_speech_goes_on(relay):
    async with on_the_line(relay) as audio:
        await audio.started()
        relay.connections[0].transport.abort()
        await relay.until(lambda: len(relay.connections) == 2)
        await audio.send(FRAME)
        await relay.until(lambda: FRAME in relay.heard)
        await relay.connections[1].send(FRAME)
        assert await taken(audio, 1) == [FRAME]


async def test_marks_that_were_lost_with_a_connection_are_found_out(relay):
    """They came back while nobody was there: a later mark shows that they are gone."""
    async with on_the_line(relay) as audio:
        await audio.mark("mine")
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.told("mark", 2)
        await relay.connections[0].close(1001)
        probe = await relay.told("mark", 3)
        assert len(relay.connections) == 2
        await relay.mark(probe["name"])
        assert await playing is False
        assert await taken(audio, 1) == [Mark("mine", False)]


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_who_is_sent_away_for_a_moment_comes_back(relay, code):
    async with on_the_line(relay) as audio:
        await audio.started()
        await relay.connections[0].close(code)
        await relay.until(lambda: len(relay.connections) == 2)
        assert await audio.started()


@pytest.mark.parametrize(
    ("code", "why"),
    [(4401, "token"), (4409, "taken over"), (4400, "bad rate"), (1008, "bad rate")],
)
async def test_who_is_sent_away_for_good_does_not(relay, code, why):
    async with on_the_line(relay) as audio:
        await audio.started()
        await relay.connections[0].close(code, "bad rate")
        with pytest.raises(AudioLost, match=why) as lost:
            await taken(audio, 1)
        assert lost.value.close_code == code
        with pytest.raises(AudioLost):
            await audio.send(FRAME)
        assert len(relay.connections) == 1


async def test_a_fault_of_ours_does_not_leave_anybody_waiting(relay, monkeypatch):
    async with on_the_line(relay) as audio:
        await audio.started()
        monkeypatch.setattr(line.Line, "received", lambda *_: 1 / 0)
        await relay.connections[0].send(FRAME)
        with pytest.raises(AudioLost, match="fault of this client"):
            await taken(audio, 1)


async def test_a_call_that_was_over_before_we_came_is_over(relay):
    relay.on_connect = lambda connection: connection.close(4410)
    async with on_the_line(relay) as audio:
        assert [frame async for frame in audio] == []
        with pytest.raises(CallGone):
            await audio.play(FRAME)


async def test_it_gives_up_when_the_call_must_be_over(monkeypatch):
    monkeypatch.setattr(line, "GRACE_S", 0.3)
    monkeypatch.setattr(line, "PAUSES_S", (0.0, 0.1))
    async with fake_relay() as relay:
        pass  # nobody listens there any more
    async with on_the_line(relay) as audio:
        with pytest.raises(AudioLost, match="no connection"):
            await taken(audio, 1)


async def test_speech_that_waits_when_the_call_ends_is_told(relay):
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.told("mark")
        await relay.stop()
        with pytest.raises(CallGone):
            await playing


async def test_what_nobody_heard_as_they_hung_up_is_the_calls_end(relay):
    """The relay gives the marks back first, as its stream is gone, then says that it is over."""
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.told("mark"))["name"], played=False)
        await relay.stop()
        with pytest.raises(CallGone, match="caller_hangup"):
            await playing


async def test_what_nobody_heard_as_a_stream_broke_was_not_heard(relay, monkeypatch):
    monkeypatch.setattr("chamade.audio.socket.HANGING_UP_S", 0.05)
    async with on_the_line(relay) as audio:
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.told("mark"))["name"], played=False)
        assert await playing is False
        await audio.send(FRAME)


async def test_who_does_not_listen_still_speaks_and_gets_the_newest(relay, monkeypatch):
    monkeypatch.setattr(line, "BUFFER_S", 1.0)
    async with on_the_line(relay) as audio:
        await audio.started()
        socket = relay.connections[0]
        for second in range(40):
            await socket.send(bytes([second]) * 32_000)
        await relay.say(socket, type="dtmf", digit="1")
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.mark((await relay.told("mark"))["name"])
        assert await playing
        lost, *rest = await taken(audio, 12)
        assert lost == Dropped("to_agent", 30_000, "slow_reader")
        assert rest == [*(bytes([second]) * 32_000 for second in range(30, 40)), Dtmf("1")]
        pressed = asyncio.Event()
        audio.on_dtmf(lambda _: pressed.set())
        await socket.send(FRAME)
        await relay.say(socket, type="dtmf", digit="2")
        await pressed.wait()
        audio.skip()
        assert await taken(audio, 1) == [Dtmf("2")]
