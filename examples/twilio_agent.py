"""An agent written for Twilio Media Streams, as people write them: it contains nothing that is
specific to this project, except the optional check of the agent token. Needs `websockets` only.

    python examples/twilio_agent.py [--port 8766]

Then set the line's `agent_url` to ws://127.0.0.1:8766 (wss:// anywhere but on this machine). It
greets, then says back what it hears; a caller who talks over the greeting stops it; `#` hangs up.
With CHAMADE_AGENT_TOKEN in the environment (GET /api/account/agent-token) it takes nobody else.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import wave
from pathlib import Path

import websockets

GREETING = Path(__file__).parent / "audio" / "greeting.wav"
TOKEN = os.environ.get("CHAMADE_AGENT_TOKEN", "")
LOUD = 80  # mu-law without its sign: the smaller, the louder


def mulaw(path):
    """Return a WAV of 16-bit mono at 8 kHz as G.711 mu-law."""
    with wave.open(str(path)) as recording:
        pcm = memoryview(recording.readframes(recording.getnframes())).cast("h")
    return bytes(map(compress, pcm))


def compress(sample):
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> exponent + 3 & 15) & 0xFF


def ours(socket):
    """Return whether the handshake is signed by the phone line, checked as Twilio's validators do:
    the URL must be exactly the one that was set as `agent_url`."""
    if not TOKEN:
        return True
    host, path = socket.request.headers["Host"], socket.request.path
    signature = socket.request.headers.get("X-Twilio-Signature", "")
    scheme = socket.request.headers.get("X-Forwarded-Proto", "ws").replace("http", "ws")
    # A URL without a path is asked for as "/".
    for url in (f"{scheme}://{host}{path}", f"{scheme}://{host}{path}".rstrip("/")):
        digest = hmac.new(TOKEN.encode(), url.encode(), hashlib.sha1).digest()
        if hmac.compare_digest(base64.b64encode(digest).decode(), signature):
            return True
    return False


async def answer(socket):
    if not ours(socket):
        await socket.close(1008, "who are you?")
        return
    stream_sid, greeting = None, True
    while True:
        try:
            message = json.loads(await socket.recv())
        except websockets.ConnectionClosed:
            return

        if message["event"] == "start":
            stream_sid = message["streamSid"]
            print("call from", message["start"]["customParameters"].get("from"), flush=True)
            payload = base64.b64encode(mulaw(GREETING)).decode()
            await socket.send(
                json.dumps(
                    {"event": "media", "streamSid": stream_sid, "media": {"payload": payload}}
                )
            )
            await socket.send(
                json.dumps({"event": "mark", "streamSid": stream_sid, "mark": {"name": "greeted"}})
            )

        elif message["event"] == "media":
            ulaw = base64.b64decode(message["media"]["payload"])
            if greeting and sum(byte & 0x7F < LOUD for byte in ulaw) > len(ulaw) // 4:
                greeting = False
                await socket.send(json.dumps({"event": "clear", "streamSid": stream_sid}))
            if not greeting:
                await socket.send(
                    json.dumps(
                        {
                            "event": "media",
                            "streamSid": stream_sid,
                            "media": {"payload": message["media"]["payload"]},
                        }
                    )
                )

        elif message["event"] == "mark":
            greeting = False

        elif message["event"] == "dtmf":
            print("key", message["dtmf"]["digit"], flush=True)
            if message["dtmf"]["digit"] == "#":
                return  # closing the socket hangs up

        elif message["event"] == "stop":
            print("the call is over", flush=True)
            return


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=8766)
    port = options.parse_args().port
    async with websockets.serve(answer, "127.0.0.1", port):
        print(f"waiting for calls on ws://127.0.0.1:{port}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
