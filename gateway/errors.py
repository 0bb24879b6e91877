"""The failure that ends a call, with its number in Twilio's error dictionary.

REST errors are different: they answer a client's request (`api/errors.py`).
Source: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

INVALID_URL = 11100
HTTP_RETRIEVAL = 11200
HTTP_TIMEOUT = 11205
RESPONSE_TOO_LONG = 11750
REDIRECT_LOOP = 11215
DOCUMENT_PARSE = 12100
SCHEMA = 12200
CONTENT_TYPE = 12300
STREAM_CONNECTION = 31920
STREAM_BAD_MESSAGE = 31924
STREAM_SLOW_READER = 31930
STREAM_QUEUE_FULL = 31931


class CallFailedError(Exception):
    """The call cannot go on. `code` is Twilio's; the message is for the developer's log.
    `passing`: the same request may succeed a moment later.
    """

    def __init__(self, code: int, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.code, self.passing = code, passing
