"""AWS credentials and region, found as every SDK of AWS does; and signed URLs of Transcribe."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from voice.engines.base import SAMPLE_RATE, EngineError

EXPIRES_S = 60
_PATH = "/stream-transcription-websocket"


class Signer:
    """Signs the URLs under which a Transcribe stream is opened."""

    def __init__(self, session: botocore.session.Session, endpoint: str = "") -> None:
        """`endpoint` is an `https` URL without a path; blank: the region's own."""
        self._session = session
        self._region = session.get_config_variable("region")
        self._endpoint = endpoint

    async def url(self, language: str) -> str:
        """Return a URL for one stream in `language`. EngineError without credentials.

        Fetching credentials may be a request of HTTP, so it is done in a thread.
        """
        return await asyncio.to_thread(self._signed, language)

    def _signed(self, language: str) -> str:
        try:
            credentials = self._session.get_credentials()
            if credentials is None or not self._region:
                raise EngineError("there are no AWS credentials, or no region is set (AWS_REGION)")
            host = f"https://transcribestreaming.{self._region}.amazonaws.com:8443"
            request = AWSRequest("GET", f"{self._endpoint or host}{_PATH}?{_query(language)}")
            frozen = credentials.get_frozen_credentials()
            SigV4QueryAuth(frozen, "transcribe", self._region, EXPIRES_S).add_auth(request)
        except BotoCoreError as error:
            raise EngineError(f"AWS credentials: {error}") from error
        return str(request.url)


def _query(language: str) -> str:
    return urlencode(
        {
            "enable-partial-results-stabilization": "true",
            "language-code": language,
            "media-encoding": "pcm",
            "partial-results-stability": "high",
            "sample-rate": SAMPLE_RATE,
        }
    )
