"""The engine's DynamoDB in the test's own process: the same code as over HTTP, without the HTTP.

It is for the thousands of tests of rules: a request takes a third of the time, so that they can be
run at each change. Requests exclude each other, as they do in the engine's one thread; between two
requests any thread may go on. Tests that need another process or another service use the engine
itself (engine.py).
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
    """The body of an answer, in the form in which botocore reads it off a connection."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def client_inside() -> Any:
    """Return a boto3 client of DynamoDB that is answered in this process."""
    made = client("http://engine.invalid", "dynamodb")
    made.meta.events.register("before-send.dynamodb", _answer)
    return made


def _answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    from ministack.services import dynamodb

    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    time.sleep(0)  # let other threads overtake here, as they can while waiting for an answer
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
