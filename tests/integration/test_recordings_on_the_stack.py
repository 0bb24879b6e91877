"""A recorded call through the whole system: its file has what each side said and heard."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from typing import Any

import numpy as np

from chalicelib.domain.composition import header
from local import listening
from relay.protocol import tones
from tests.support.clips import clip, samples
from tests.support.running import Live

WITHIN_S = 60
HEAD = len(header(0))


async def ready(live: Live, recording_id: str) -> dict[str, Any]:
    """Wait until a recording has its file."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        recording = await live.rest("GET", f"/api/recording/{recording_id}")
        if recording["state"] in ("ready", "failed"):
            return recording
        await asyncio.sleep(0.2)
    raise TimeoutError(f"the recording is {recording['state']}")


def downloaded(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


async def test_a_recorded_call_becomes_a_stereo_file_that_can_be_read_and_deleted(live):
    agents, callers = clip("goodbye.wav", 2), clip("caller.wav", 3)
    number = f"/api/number/{live.number}"
    await live.rest("PATCH", number, {"recording": "on"})
    talking = await live.answered(agents)
    await live.rest("PATCH", number, {"recording": "off"})
    path = f"/api/call/{talking.call_id}/recording"
    started = await live.rest("POST", path, {"action": "start"})
    recording_id = started["recording"]["recording_id"]
    await talking.call.play(callers)
    await asyncio.wait_for(talking.talk.played.wait(), 10)
    talking.call.hangup()
    await talking.over()
    recording = await ready(live, recording_id)
    assert recording["state"] == "ready"
    content = await asyncio.to_thread(downloaded, recording["url"])
    assert len(content) == recording["bytes"]
    stereo = np.frombuffer(content, np.uint8)[HEAD:]
    said, heard = stereo[0::2].tobytes(), stereo[1::2].tobytes()
    assert listening.find(samples(callers), samples(said)).heard
    assert tones.beep() in heard
    assert agents[8000:12_000] in heard
    listed = await live.rest("GET", f"/api/call/{talking.call_id}/recordings")
    assert [each["recording_id"] for each in listed["recordings"]] == [recording_id]
    await live.rest("DELETE", f"/api/recording/{recording_id}")
    listed = await live.rest("GET", f"/api/call/{talking.call_id}/recordings")
    assert listed["recordings"] == []
