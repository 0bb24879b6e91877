"""Segments of a recording reach the storage in order, and a storage that fails costs no memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from relay.core.counters import Counters
from relay.core.recorder import SEGMENT_S, Segment
from relay.core.segment_queue import MAX_WAITING, MAX_WAITING_ALL, SegmentQueue
from relay.network.control import NoAnswerError, RefusedError, Upload
from relay.network.recording_uploads import AT_ONCE, GIVE_UP_S, Clock, RecordingUploads
from tests.unit.relay.fake_control import PROVIDER_TOKEN, SECRET, FakeApplication
from tests.unit.relay.stack import START, Stack, media

FRAME = 160


def segment(number: int = 0, recording_id: str = "rec_1") -> Segment:
    return Segment(recording_id, round(number * SEGMENT_S * 1000), bytes([number]) * 8)


class RecordingStorage:
    """A storage that fails as it is told to, and the time that it takes."""

    def __init__(self) -> None:
        self.counters, self.now = Counters(), 1000.0
        self.stored: list[tuple[str, bytes]] = []
        self.asked: list[list[int]] = []
        self.over: list[str] = []
        self.faults: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.tasks: set[asyncio.Task[None]] = set()
        clock = Clock(lambda: self.now, self._sleep)
        self.uploads = RecordingUploads("call_1", self, self.counters, self._spawn, clock)

    async def upload_urls(
        self, call_id: str, recording_id: str, starts_ms: list[int]
    ) -> dict[int, Upload]:
        self.asked.append(starts_ms)
        return {start: Upload(f"{recording_id}/{start}") for start in starts_ms}

    async def recording_over(self, call_id: str, recording_id: str) -> None:
        self.over.append(recording_id)

    async def upload(self, where: Upload, content: bytes) -> None:
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.stored.append((where.url, content))

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def _spawn(self, job: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(job)
        self.tasks.add(task)
        return task

    async def settled(self) -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*self.tasks)


@pytest.fixture
async def storage() -> RecordingStorage:
    return RecordingStorage()


async def test_segments_are_stored_in_order_and_then_the_end_is_told(
    storage: RecordingStorage,
) -> None:
    for number in range(3):
        storage.uploads.add(segment(number))
    storage.uploads.add_over("rec_1")
    await storage.settled()
    assert storage.stored == [
        (f"rec_1/{each.start_ms}", each.stereo) for each in map(segment, range(3))
    ]
    assert storage.over == ["rec_1"]
    assert storage.counters.segments == {"stored": 3}


async def test_urls_of_a_minute_are_asked_for_together(storage: RecordingStorage) -> None:
    for number in range(AT_ONCE):
        storage.uploads.add(segment(number))
    await storage.settled()
    assert [len(starts) for starts in storage.asked] == [AT_ONCE]


async def test_a_segment_that_is_not_stored_is_tried_again_with_a_new_url(
    storage: RecordingStorage,
) -> None:
    storage.faults = [NoAnswerError("storage: HTTP 403"), NoAnswerError("storage: HTTP 500")]
    storage.uploads.add(segment())
    await storage.settled()
    assert len(storage.stored) == 1
    assert len(storage.asked) == 3


async def test_a_recording_that_the_application_has_closed_is_let_go(
    storage: RecordingStorage,
) -> None:
    storage.faults = [RefusedError(409, "recording_over", None)]
    storage.uploads.add(segment(0))
    storage.uploads.add(segment(1))
    await storage.settled()
    assert [url for url, _ in storage.stored] == ["rec_1/4000"]
    assert storage.counters.segments == {"lost": 1, "stored": 1}


async def test_a_segment_is_given_up_in_the_end(storage: RecordingStorage) -> None:
    began = storage.now
    storage.faults = [NoAnswerError("gone") for _ in range(200)]
    storage.uploads.add(segment())
    await storage.settled()
    assert storage.counters.segments == {"lost": 1}
    assert storage.now - began <= GIVE_UP_S
    assert storage.counters.segments_waiting == 0


async def test_beyond_what_may_wait_the_oldest_is_dropped_and_counted(
    storage: RecordingStorage,
) -> None:
    storage.open.clear()
    for number in range(MAX_WAITING + 5):
        storage.uploads.add(segment(number))
        await asyncio.sleep(0)
    assert storage.counters.segments_waiting == MAX_WAITING
    storage.open.set()
    await storage.settled()
    assert storage.counters.segments["dropped"] == 5
    kept = {content[0] for _, content in storage.stored}
    assert kept >= set(range(5, MAX_WAITING + 5))


def test_calls_together_hold_no_more_than_the_process_has_room_for() -> None:
    counters = Counters()
    queues = [SegmentQueue(counters) for _ in range(200)]
    for number in range(MAX_WAITING):
        for queue in queues:
            queue.add(segment(number))
    assert counters.segments_waiting == MAX_WAITING_ALL
    # Each call keeps its newest: one that comes while all is full costs its own oldest.
    queues[0].add(segment(99))
    items = []
    while (item := queues[0].first()) is not None:
        items.append(item)
        queues[0].done(item, "stored")
    assert items[-1] == segment(99)


async def test_a_relay_records_a_call_on_real_sockets(app: FakeApplication, stack: Stack) -> None:
    app.recording = _wanted()
    provider, agent = await stack.both()
    said = np.random.default_rng(5).integers(0, 0xFF, (40, FRAME), dtype=np.uint8)
    await agent.send(b"\x21" * 800)
    began = time.monotonic()
    for number, frame in enumerate(said):
        await provider.send(media(frame.tobytes()))
        await asyncio.sleep(max(0.0, began + (number + 1) * 0.02 - time.monotonic()))
    await provider.send('{"event":"stop","streamSid":"MZ1"}')
    app.end("caller_hangup")
    async with asyncio.timeout(5):
        assert await app.recordings_over.get() == "rec_1"
    whole = b"".join(app.stored.values())
    # A machine that is busy sends in bursts, of which the recorder may cut one or two frames.
    assert sum(frame.tobytes() in whole[::2] for frame in said) >= 36
    assert b"\x21" * 800 in whole[1::2]


async def test_what_a_killed_process_had_recorded_is_lost_by_five_seconds_at_most(
    app: FakeApplication,
) -> None:
    app.recording = _wanted()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relay",
        env=dict(os.environ)
        | {
            "CHAMADE_CONTROL_URL": app.url,
            "CHAMADE_CONTROL_SECRET": SECRET,
            "RELAY_PORT": "0",
        },
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        port = await _port(process)
        url = f"ws://127.0.0.1:{port}/media/provider/{PROVIDER_TOKEN}"
        async with connect(url, additional_headers={"X-Twilio-Signature": "signed"}) as provider:
            await provider.send(json.dumps(START))
            began, frames = time.monotonic(), 0
            while time.monotonic() - began < SEGMENT_S + 1.5:
                await provider.send(media(bytes([frames % 200]) * FRAME))
                frames += 1
                await asyncio.sleep(max(0.0, began + frames * 0.02 - time.monotonic()))
            spoken = time.monotonic() - began
            process.send_signal(signal.SIGKILL)
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    stored = sum(len(each) for each in app.stored.values()) / 2 / 8000
    assert spoken - stored <= 5.0
    first = min(app.stored.values(), key=len)
    assert {0, 1, 50, 150} <= set(first[::2])


def _wanted() -> dict[str, Any]:
    return {
        "number": 1,
        "recording_id": "rec_1",
        "state": "on",
        "since_ms": int(time.time() * 1000),
    }


async def _port(process: asyncio.subprocess.Process) -> int:
    """Return the port at which a relay listens, from its log."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams = process.stderr, process.stdout
    async with asyncio.timeout(20):
        while True:
            for stream in streams:
                line = await stream.readline()
                if b'"port"' in line:
                    return int(json.loads(line)["port"])
