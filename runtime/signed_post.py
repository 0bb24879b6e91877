"""Post signed control requests to the application (docs/contracts.md).

The signature covers the contract's path, not a prefix that a gateway puts before it. Each call is
one attempt: the caller decides whether to try again.
"""

from __future__ import annotations

import time

import aiohttp

from common import control

MAX_ANSWER = 1 << 20
"""Limit of an answer of the application, in bytes."""


class AnswerTooLongError(Exception):
    """The answer is longer than `MAX_ANSWER`."""


async def signed_post(
    session: aiohttp.ClientSession, base_url: str, secret: str, path: str, body: bytes
) -> tuple[int, bytes]:
    """Post JSON to `path`; return the status and content of the answer.

    aiohttp.ClientError, OSError, TimeoutError (the session's), AnswerTooLongError.
    """
    headers = {
        control.HEADER: control.sign(secret, path, body, int(time.time())),
        "Content-Type": "application/json",
    }
    async with session.post(
        base_url + path, data=body, headers=headers, allow_redirects=False
    ) as response:
        return response.status, await _limited(response)


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise AnswerTooLongError(f"longer than {MAX_ANSWER} bytes")
    return bytes(content)
