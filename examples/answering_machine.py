"""An answering machine: takes each call, greets, records the message into a WAV file, hangs up.

The caller may talk over the greeting (barge-in): it stops at once and their words are kept. A
socket that breaks is opened again; what was said is saved however the call ends. Needs nothing but
`websockets`; 8 kHz PCM both ways, as the recordings are.

    python examples/answering_machine.py [--messages FOLDER]

takes CHAMADE_API_URL and CHAMADE_API_KEY from the environment, else the local stack's.
"""

import argparse
import array
import asyncio
import http.client
import json
import os
import re
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


class Api:
    """The REST calls an agent needs."""

    def __init__(self, url, key):
        self.url, self.headers = url, {"X-API-Key": key}

    async def __call__(self, method, path):
        request = urllib.request.Request(self.url + path, method=method, headers=self.headers)
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=30)
        return json.load(answer)


class Conversation:
    """One call: greet, record until the caller has been silent for a while, say goodbye."""

    def __init__(self, call):
        self.id, self.audio = call["call_id"], call["audio"]
        self.phase, self.message, self.run, self.silence = "greeting", bytearray(), 0, 0

    async def talk(self):
        """Until the call is over. A connection that breaks is replaced within the 10 s we have."""
        bearer = {"Authorization": f"Bearer {self.audio['token']}"}
        url = f"{self.audio['url']}?rate={RATE}"
        async for socket in websockets.connect(url, additional_headers=bearer):
            try:
                async for got in socket:
                    await (
                        self.hear(socket, got) if isinstance(got, bytes) else self.told(socket, got)
                    )
            except websockets.ConnectionClosed:
                pass
            if socket.close_code == 1000 or (socket.close_code or 0) >= 4000:
                return

    async def told(self, socket, text):
        """A text message: what the relay says."""
        got = json.loads(text)
        if got["type"] == "start" and not got["resumed"]:
            await self.say(socket, "greeting.wav", then="message")
        elif got["type"] == "mark" and got["name"] == "hang up":
            await socket.send('{"type": "hangup"}')
        elif got["type"] == "mark" and self.phase == "greeting":
            self.phase = "message"  # the greeting was heard to its end, or is gone
        elif got["type"] == "stop":
            print(f"{self.id} is over: {got['reason']}", flush=True)

    async def hear(self, socket, frame):
        """A frame of what the caller says."""
        speech = max(map(abs, array.array("h", frame)), default=0) > LOUD
        self.run, self.silence = (
            (self.run + FRAME_MS, 0) if speech else (0, self.silence + FRAME_MS)
        )
        if self.phase == "greeting":
            self.message = (self.message + frame)[-RATE * 2 :]  # a second before the barge-in
            if self.run >= BARGE_IN_MS:
                self.phase = "message"
                await socket.send('{"type": "clear"}')
                print(f"{self.id} interrupts the greeting", flush=True)
        elif self.phase == "message":
            self.message += frame
            spoken_ms = len(self.message) * 1000 // (RATE * 2)
            done = self.silence >= SILENCE_MS and spoken_ms > 2 * SILENCE_MS
            if done or spoken_ms > LONGEST_MS:
                self.phase = "goodbye"
                await self.say(socket, "goodbye.wav", then="hang up")

    async def say(self, socket, name, then):
        """All at once: the relay queues it. The mark comes back when it has been heard."""
        with wave.open(str(RECORDINGS / name)) as file:
            await socket.send(file.readframes(file.getnframes()))
        await socket.send(json.dumps({"type": "mark", "name": then}))


def save(path, pcm):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    print(f"message saved: {path} ({len(pcm) / RATE / 2:.1f} s)", flush=True)


async def take(api, call, folder):
    """Accept if auto-answer has not; what is over by then is left alone."""
    path = f"/api/call/{call['call_id']}"
    try:
        ours = call["state"] == "ringing" and not call["auto_answer"]
        call = await (api("POST", f"{path}/accept") if ours else api("GET", path))
    except urllib.error.HTTPError as refused:
        print(f"{call['call_id']}: {json.load(refused).get('detail')}", flush=True)
        return
    print(f"{call['call_id']} from {call['from']}", flush=True)
    if call["audio"]:
        conversation = Conversation(call)
        try:
            await conversation.talk()
        finally:
            caller = re.sub(r"[^+\w.@-]", "_", call["from"])  # may be a SIP URI
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{caller}-{call['call_id']}.wav"
            save(folder / name, conversation.message)


async def main(api, folder):
    """Follow the events; take each call that rings or was picked up by auto-answer."""
    taken, talks, cursor = set(), set(), None
    while True:
        try:
            if cursor is None:
                cursor = (await api("GET", "/api/events?after=latest"))["cursor"]
                print("waiting for calls", flush=True)
            news = await api("GET", f"/api/events?wait=20&after={cursor}")
        except urllib.error.HTTPError as refused:
            problem = json.load(refused)
            if problem["code"] != "bad_cursor":  # that one: the stack began anew, so do we
                raise SystemExit(f"{problem['title']}: {problem.get('detail')}") from None
            cursor = None
            continue
        except (OSError, http.client.HTTPException) as error:
            print(f"{api.url} does not answer ({error}), trying again", flush=True)
            await asyncio.sleep(1)
            continue
        cursor = news["cursor"]
        for event in news["events"]:
            if event["type"] in ("call.ringing", "call.answered") and event["call_id"] not in taken:
                taken.add(event["call_id"])
                talks.add(talk := asyncio.create_task(take(api, event["data"]["call"], folder)))
                talk.add_done_callback(talks.discard)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=Path, default=Path("messages"), metavar="FOLDER")
    options = parser.parse_args()
    stack = Path(".local/stack.json")
    known = json.loads(stack.read_text()) if stack.exists() else {}
    url = os.environ.get("CHAMADE_API_URL") or known.get("api_url")
    key = os.environ.get("CHAMADE_API_KEY") or known.get("api_key")
    if not url or not key:
        parser.error("no stack found: start one (make run) or set CHAMADE_API_URL, CHAMADE_API_KEY")
    try:
        asyncio.run(main(Api(url, key), options.messages))
    except KeyboardInterrupt:
        pass
