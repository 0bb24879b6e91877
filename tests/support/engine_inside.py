"""The engine's DynamoDB in the test's own process: the same code as over HTTP, without the HTTP.

For the thousands of tests of rules, where a request that costs a third of the time is what makes
them worth running at each change. Requests exclude each other, as they do in the engine's one
thread; between two of them any thread may go on. Whatever needs another process, or another
service, asks the engine itself (engine.py).
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.support.engine import client

_one_at_a_time = threading.Lock()


class _Body(io.BytesIO):
    """As botocore reads it off a connection."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def client_inside() -> Any:
    """A boto3 client of DynamoDB that is answered here."""
    made = client("http://engine.invalid", "dynamodb")
    made.meta.events.register("before-send.dynamodb", _answer)
    return made


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    from ministack.services import dynamodb

    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    time.sleep(0)  # waiting for an answer is where threads overtake each other
    with _one_at_a_time:
        answering = dynamodb.handle_request("POST", "/", headers, request.body, {})
        try:
            answering.send(None)
        except StopIteration as answered:
            status, headers, body = answered.value
        else:
            raise RuntimeError("the engine waits for something")
    time.sleep(0)
    content = body.encode() if isinstance(body, str) else body
    return AWSResponse(request.url, status, headers, _Body(content))
