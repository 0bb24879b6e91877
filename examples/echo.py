"""The smallest agent: takes every call and says back what it hears. Needs `websockets` only.

python examples/echo.py        (CHAMADE_API_URL and CHAMADE_API_KEY, else the local stack's)
"""

import asyncio
import json
import os
import sys
import urllib.request

import websockets

stack = json.load(open(".local/stack.json")) if os.path.exists(".local/stack.json") else {}
URL = os.environ.get("CHAMADE_API_URL") or stack.get("api_url") or sys.exit("no stack: make run")
KEY = os.environ.get("CHAMADE_API_KEY") or stack["api_key"]


def api(method, path):
    request = urllib.request.Request(URL + path, method=method, headers={"X-API-Key": KEY})
    return json.load(urllib.request.urlopen(request, timeout=30))


async def echo(call_id):
    audio = (await asyncio.to_thread(api, "GET", f"/api/call/{call_id}"))["audio"]
    bearer = {"Authorization": f"Bearer {audio['token']}"}
    async with websockets.connect(audio["url"], additional_headers=bearer) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                await socket.send(message)


async def main():
    cursor, talks = api("GET", "/api/events?after=latest")["cursor"], set()
    print("waiting for calls", flush=True)
    while True:
        news = await asyncio.to_thread(api, "GET", f"/api/events?wait=20&after={cursor}")
        cursor = news["cursor"]
        for event in news["events"]:
            if event["type"] == "call.ringing" and not event["data"]["call"]["auto_answer"]:
                await asyncio.to_thread(api, "POST", f"/api/call/{event['call_id']}/accept")
            elif event["type"] == "call.answered":  # by us or by auto-answer
                talks.add(asyncio.create_task(echo(event["call_id"])))


if __name__ == "__main__":
    asyncio.run(main())
