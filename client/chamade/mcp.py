"""`chamade mcp`, or `python -m chamade.mcp`: the tools of `POST /mcp` for programs that speak MCP
over standard input and output, such as Claude Desktop.

It is only a bridge: each JSON-RPC message that comes in is posted unchanged, with the key from the
environment, and the answer is written. Requests do not wait for each other, so a long poll does not
delay others. Standard output has only JSON-RPC messages, one on a line; everything else goes to
standard error.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import httpx

from chamade.credentials import Credentials, find
from chamade.errors import BadCredentials

TIMEOUT = httpx.Timeout(60, connect=10)
"""A long poll lasts 20 s, and a cold start of Lambda adds a few."""

MAX_IN_FLIGHT = 50
"""Requests at a time; further ones get an error."""

LAST_ANSWERS_S = 5.0
"""Seconds that requests may still take after the input has ended."""

VERSION_IN_META = "io.modelcontextprotocol/protocolVersion"
"""The key of the protocol's revision in each request, from revision 2026-07-28 on."""

PARSE_ERROR, INVALID_REQUEST, NOT_ANSWERED = -32700, -32600, -32000

_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_HEADER_SAFE = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII)
_ENCODED = re.compile(r"=\?base64\?.*\?=", re.ASCII)

Message = dict[str, Any]


class Bridge:
    """A bridge between one client and the API. `write` sends a message to the client."""

    def __init__(self, http: httpx.AsyncClient, url: str, write: Callable[[Message], None]) -> None:
        self._http, self._url, self._write = http, url, write
        self._version: str | None = None  # of clients that begin with `initialize`
        self._running: dict[str, asyncio.Task[None]] = {}  # requests, by their id as JSON
        self._notifying: set[asyncio.Task[None]] = set()

    def take(self, line: bytes) -> None:
        """Take a line of the client. Returns at once; the answer is written when it is there."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._write(_error(None, PARSE_ERROR, "Not JSON"))
            return
        if not isinstance(message, dict) or not isinstance(message.get("method", ""), str):
            self._write(_error(None, INVALID_REQUEST, "Send one JSON-RPC message a line"))
        elif "method" not in message:
            _log("dropped an answer: nothing was asked")
        elif message["method"] == "notifications/cancelled":
            self._cancel(message)
        elif "id" in message:
            self._request(message)
        else:
            task = asyncio.create_task(self._notify(message))
            self._notifying.add(task)
            task.add_done_callback(self._notifying.discard)

    async def finish(self) -> None:
        """Wait for what is still under way, but not for long."""
        if left := [*self._running.values(), *self._notifying]:
            _, late = await asyncio.wait(left, timeout=LAST_ANSWERS_S)
            for task in late:
                task.cancel()

    def _request(self, message: Message) -> None:
        key = json.dumps(message["id"])
        if key in self._running:
            self._write(_error(message["id"], INVALID_REQUEST, "This id is in use"))
        elif len(self._running) >= MAX_IN_FLIGHT:
            self._write(_error(message["id"], NOT_ANSWERED, "Too many requests at a time"))
        else:
            task = asyncio.create_task(self._answer(message))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))

    def _cancel(self, message: Message) -> None:
        """Cancel a request, which then gets no answer. The API keeps nothing between requests, so
        nothing is to be done there.
        """
        params = message.get("params")
        request_id = params.get("requestId") if isinstance(params, dict) else None
        task = self._running.get(json.dumps(request_id))
        if task is not None:
            task.cancel()

    async def _answer(self, message: Message) -> None:
        answer = await self._ask(message)
        if message["method"] == "initialize":
            self._version = answer.get("result", {}).get("protocolVersion")
        self._write(answer)

    async def _notify(self, message: Message) -> None:
        try:
            answer = await self._post(message)
        except httpx.HTTPError as error:
            _log(f"{message['method']}: {_describe(error)}")
        else:
            if answer.status_code >= 400:
                _log(f"{message['method']}: HTTP {answer.status_code}")

    async def _ask(self, message: Message) -> Message:
        """Return the answer to a request; an error if the API gave none."""
        try:
            answer = await self._post(message)
        except httpx.HTTPError as error:
            why = f"{self._url} cannot be reached: {_describe(error)}"
            _log(why)
            return _error(message["id"], NOT_ANSWERED, why)
        document = _json(answer)
        if "jsonrpc" in document:
            return {**document, "id": message["id"]}
        why = str(document.get("detail") or document.get("title") or "no MCP there")
        if answer.status_code == 401:
            why += " Is CHAMADE_API_KEY right?"
        _log(f"{self._url} answered HTTP {answer.status_code}: {why}")
        text = f"HTTP {answer.status_code}: {why}"
        return _error(message["id"], NOT_ANSWERED, text, document or None)

    async def _post(self, message: Message) -> httpx.Response:
        headers = headers_of(message, self._version)
        return await self._http.post(self._url, content=json.dumps(message), headers=headers)


def headers_of(message: Mapping[str, Any], negotiated: str | None) -> dict[str, str]:
    """Return the headers in which Streamable HTTP repeats parts of a message: its revision, and
    from 2026-07-28 on its method and the name in it. `negotiated`: the revision that `initialize`
    gave.
    """
    headers = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    method, params = message["method"], message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    version = meta.get(VERSION_IN_META) if isinstance(meta, dict) else None
    if isinstance(version, str):
        headers |= {"MCP-Protocol-Version": _field(version), "Mcp-Method": _field(method)}
        name = params.get(_NAMED_BY.get(method, ""))
        if isinstance(name, str):
            headers["Mcp-Name"] = _field(name)
    elif negotiated is not None and method != "initialize":
        headers["MCP-Protocol-Version"] = negotiated
    return headers


def _field(text: str) -> str:
    """Return a header's value; in base64 if it is not safe as it is (MCP 2026-07-28)."""
    if _HEADER_SAFE.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _error(request_id: Any, code: int, message: str, data: Any = None) -> Message:
    error = {"code": code, "message": message, **({} if data is None else {"data": data})}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def _json(answer: httpx.Response) -> Message:
    try:
        document = json.loads(answer.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _describe(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _log(text: str) -> None:
    sys.stderr.write(f"chamade mcp: {text}\n")


async def run(credentials: Credentials, lines: BinaryIO, out: BinaryIO) -> None:
    """Bridge until `lines` end."""

    def write(message: Message) -> None:
        out.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
        out.flush()

    key = {"X-API-Key": credentials.key}
    async with httpx.AsyncClient(headers=key, timeout=TIMEOUT) as http:
        bridge = Bridge(http, f"{credentials.api_url}/mcp", write)
        queue = _read(lines)
        while line := await queue.get():
            if line.strip():
                bridge.take(line)
        await bridge.finish()


def _read(lines: BinaryIO) -> asyncio.Queue[bytes]:
    """Read the lines in a thread, then b"". Nobody waits for the thread: no other way to read
    standard input works everywhere, and none can be interrupted.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_IN_FLIGHT)
    loop = asyncio.get_running_loop()

    def read() -> None:
        while True:
            line = lines.readline()
            try:
                asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()
            except RuntimeError:  # the loop is closed
                return
            if not line:
                return

    threading.Thread(target=read, daemon=True).start()
    return queue


def main() -> None:
    """Bridge standard input and output to the API; ends with the input. Exit code 2 if URL or key
    are missing.
    """
    try:
        credentials = find()
        credentials.key  # noqa: B018 - raises if there is none
    except BadCredentials as missing:
        _log(str(missing))
        sys.exit(2)
    try:
        asyncio.run(run(credentials, sys.stdin.buffer, sys.stdout.buffer))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(1)


if __name__ == "__main__":
    main()
