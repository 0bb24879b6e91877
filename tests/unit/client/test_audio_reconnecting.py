"""Tests of lost connections of the audio socket: when it reconnects, and when it gives up."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

import pytest

from chamade import AudioLost, CallGone, Mark
from chamade.audio import line
from tests.unit.client.relay import FRAME, fake_relay, on_the_line, take


async def test_the_socket_reconnects_after_a_broken_connection_and_speech_goes_on(relay):
    async with on_the_line(relay) as audio:
        await audio.started()
        relay.connections[0].transport.abort()
        await relay.until(lambda: len(relay.connections) == 2)
        await audio.send(FRAME)
        await relay.until(lambda: FRAME in relay.received)
        await relay.connections[1].send(FRAME)
        assert await take(audio, 1) == [FRAME]


async def test_marks_lost_with_a_connection_are_reported_as_not_played(relay):
    """They came back while nobody was there: a later mark shows that they are gone."""
    async with on_the_line(relay) as audio:
        await audio.mark("mine")
        playing = asyncio.create_task(audio.play(FRAME))
        await relay.wait_for_message("mark", 2)
        await relay.connections[0].close(1001)
        probe = await relay.wait_for_message("mark", 3)
        assert len(relay.connections) == 2
        await relay.mark(probe["name"])
        assert await playing is False
        assert await take(audio, 1) == [Mark("mine", False)]


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_the_socket_reconnects_after_a_temporary_close_code(relay, code):
    async with on_the_line(relay) as audio:
        await audio.started()
        await relay.connections[0].close(code)
        await relay.until(lambda: len(relay.connections) == 2)
        assert await audio.started()


@pytest.mark.parametrize(
    ("code", "why"),
    [(4401, "token"), (4409, "taken over"), (4400, "bad rate"), (1008, "bad rate")],
)
async def test_the_socket_does_not_reconnect_after_a_final_close_code(relay, code, why):
    async with on_the_line(relay) as audio:
        await audio.started()
        await relay.connections[0].close(code, "bad rate")
        with pytest.raises(AudioLost, match=why) as lost:
            await take(audio, 1)
        assert lost.value.close_code == code
        assert audio.replaced == (code == 4409)
        with pytest.raises(AudioLost):
            await audio.send(FRAME)
        assert len(relay.connections) == 1


async def test_a_refused_token_is_not_retried():
    tries = []

    def refuse(connection, _):
        tries.append(connection)
        return connection.respond(HTTPStatus.UNAUTHORIZED, "the token has expired\n")

    async with fake_relay(refuse) as relay, on_the_line(relay) as audio:
        with pytest.raises(AudioLost, match="does not take the token") as lost:
            await take(audio, 1)
        assert lost.value.close_code == 4401
        with pytest.raises(AudioLost):
            await audio.send(FRAME)
        assert len(tries) == 1


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_a_full_relay_is_asked_again(status):
    tries = []

    def refuse(connection, _):
        tries.append(connection)
        return connection.respond(status, "busy\n") if len(tries) == 1 else None

    async with fake_relay(refuse) as relay, on_the_line(relay) as audio:
        assert await audio.started()
        assert len(tries) == 2


async def test_an_error_in_the_client_ends_the_wait_with_audio_lost(relay, monkeypatch):
    async with on_the_line(relay) as audio:
        await audio.started()
        monkeypatch.setattr(line.Line, "received", lambda *_: 1 / 0)
        await relay.connections[0].send(FRAME)
        with pytest.raises(AudioLost, match="fault of this client"):
            await take(audio, 1)


async def test_connecting_to_an_ended_call_reports_its_end(relay):
    relay.on_connect = lambda connection: connection.close(4410)
    async with on_the_line(relay) as audio:
        assert [frame async for frame in audio] == []
        with pytest.raises(CallGone):
            await audio.play(FRAME)


async def test_reconnecting_stops_when_the_call_cannot_still_be_up(monkeypatch):
    monkeypatch.setattr(line, "GRACE_S", 0.3)
    monkeypatch.setattr(line, "PAUSES_S", (0.0, 0.1))
    async with fake_relay() as relay:
        pass  # nobody listens there any more
    async with on_the_line(relay) as audio:
        with pytest.raises(AudioLost, match="no connection"):
            await take(audio, 1)


async def test_a_relay_that_hangs_is_left_for_another_within_two_seconds(relay):
    async with on_the_line(relay) as audio:
        assert await audio.started()
        began = time.monotonic()
        relay.connections[0].transport.pause_reading()  # it answers no ping either
        await relay.until(lambda: len(relay.connections) == 2)
        assert 1.1 < time.monotonic() - began < 3.5
        await relay.connections[1].send(FRAME)
        assert await take(audio, 1) == [FRAME]


async def test_a_relay_that_is_silent_and_answers_pings_is_kept(relay):
    async with on_the_line(relay) as audio:
        assert await audio.started()
        await asyncio.sleep(2.5)
        await relay.connections[0].send(FRAME)
        assert await take(audio, 1) == [FRAME]
        assert len(relay.connections) == 1
