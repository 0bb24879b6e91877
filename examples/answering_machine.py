"""An answering machine: accepts each call, greets, records the message into a WAV file, hangs up.

The caller may talk over the greeting (barge-in): it stops at once and their words are kept. Needs
nothing but `websockets`; 8 kHz PCM both ways, as the recordings are.

    python examples/answering_machine.py [--messages FOLDER]

finds a local stack by its .local/stack.json, else CHAMADE_API_URL and CHAMADE_API_KEY.
"""

import argparse
import array
import asyncio
import json
import os
import time
import urllib.error
import urllib.request
import wave
from pathlib import Path

import websockets

RATE, FRAME_MS = 8000, 20
LOUD = 800  # peak of 32767 above which a frame counts as speech
BARGE_IN_MS, SILENCE_MS, LONGEST_MS = 200, 1500, 60_000
RECORDINGS = Path(__file__).parent / "audio"


def read_wav(path):
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


def is_speech(frame):
    return max(map(abs, array.array("h", frame)), default=0) > LOUD


class Api:
    """The REST calls an agent needs."""

    def __init__(self, url, key):
        self.url, self.key = url, key

    async def __call__(self, method, path):
        request = urllib.request.Request(
            self.url + path, method=method, headers={"X-API-Key": self.key}
        )
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=30)
        return json.load(answer)


async def take_message(call, folder):
    """Greet, record until the caller has been silent for a while, say goodbye, hang up."""
    phase, message, run, silence = "greeting", bytearray(), 0, 0
    url, bearer = call["audio"]["url"], {"Authorization": f"Bearer {call['audio']['token']}"}
    async with websockets.connect(f"{url}?rate={RATE}", additional_headers=bearer) as audio:

        async def say(name, then):
            await audio.send(read_wav(RECORDINGS / name))
            await audio.send(json.dumps({"type": "mark", "name": then}))

        async for got in audio:
            if isinstance(got, str):
                got = json.loads(got)
                if got["type"] == "start" and not got["resumed"]:
                    await say("greeting.wav", then="message")
                elif got["type"] == "mark" and got["played"] and phase != "goodbye":
                    phase = "message"  # the greeting was heard to its end
                elif got["type"] == "mark" and got["name"] == "hang up":
                    await audio.send(json.dumps({"type": "hangup"}))
                elif got["type"] == "stop":
                    print(f"{call['call_id']} is over: {got['reason']}", flush=True)
                continue

            speech = is_speech(got)
            run, silence = (run + FRAME_MS, 0) if speech else (0, silence + FRAME_MS)
            if phase == "greeting":
                message = (message + got)[-RATE * 2 :]  # the second before the barge-in counts
                if run >= BARGE_IN_MS:
                    await audio.send(json.dumps({"type": "clear"}))
                    phase = "message"
                    print(f"{call['call_id']} interrupts the greeting", flush=True)
            elif phase == "message":
                message += got
                spoken_ms = len(message) * 1000 // (RATE * 2)
                if (silence >= SILENCE_MS and spoken_ms > 2 * SILENCE_MS) or spoken_ms > LONGEST_MS:
                    phase = "goodbye"
                    await say("goodbye.wav", then="hang up")
    if message:
        save(
            folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{call['from']}-{call['call_id']}.wav",
            message,
        )


def save(path, pcm):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    print(f"message saved: {path} ({len(pcm) / RATE / 2:.1f} s)", flush=True)


async def main(api, folder):
    """Follow the events; take each call that rings or was picked up by auto-answer."""
    taken, talks = set(), set()
    cursor = (await api("GET", "/api/events?after=latest"))["cursor"]
    print("waiting for calls", flush=True)
    while True:
        news = await api("GET", f"/api/events?wait=20&after={cursor}")
        cursor = news["cursor"]
        for event in news["events"]:
            call_id = event["call_id"]
            if event["type"] not in ("call.ringing", "call.answered") or call_id in taken:
                continue
            taken.add(call_id)
            talk = asyncio.create_task(answer(api, event["data"]["call"], folder))
            talks.add(talk)
            talk.add_done_callback(talks.discard)


async def answer(api, call, folder):
    """Accept if nobody else has; what is over by then is left alone."""
    try:
        path = f"/api/call/{call['call_id']}"
        if call["state"] == "ringing" and not call["auto_answer"]:
            call = await api("POST", f"{path}/accept")
        else:
            call = await api("GET", path)
        print(f"{call['call_id']} from {call['from']}", flush=True)
        if call["audio"]:
            await take_message(call, folder)
    except urllib.error.HTTPError as refused:
        print(f"{call['call_id']}: {json.load(refused)['detail']}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=Path, default=Path("messages"), metavar="FOLDER")
    stack = Path(".local/stack.json")
    known = json.loads(stack.read_text()) if stack.exists() else {}
    url = os.environ.get("CHAMADE_API_URL") or known.get("api_url")
    key = os.environ.get("CHAMADE_API_KEY") or known.get("api_key")
    if not url or not key:
        parser.error("no stack found: start one (make run) or set CHAMADE_API_URL, CHAMADE_API_KEY")
    try:
        asyncio.run(main(Api(url, key), parser.parse_args().messages))
    except KeyboardInterrupt:
        pass
