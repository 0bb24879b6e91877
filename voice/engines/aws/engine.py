"""The engine of AWS: Transcribe and Polly with one set of credentials."""

from __future__ import annotations

import aiohttp
import botocore.session

from voice.engines.aws.credentials import Signer
from voice.engines.aws.polly import NAME, PollySynthesiser
from voice.engines.aws.transcribe import TranscribeRecogniser
from voice.engines.base import EngineError, EngineSettings, Recogniser, Synthesiser


class AwsEngines:
    """The recogniser and synthesiser of AWS.

    The task's role needs polly:SynthesizeSpeech, polly:DescribeVoices and
    transcribe:StartStreamTranscriptionWebSocket.
    """

    name = NAME

    def __init__(
        self, settings: EngineSettings, *, polly_url: str | None = None, transcribe_url: str = ""
    ) -> None:
        """Take the account from the environment; the URLs replace the region's own endpoints."""
        session = botocore.session.get_session()
        self._polly = PollySynthesiser(session, settings.max_calls, polly_url)
        self._http: aiohttp.ClientSession | None = None
        signer = Signer(session, transcribe_url)
        self.recogniser: Recogniser = TranscribeRecogniser(signer, self._open_http)
        self.synthesiser: Synthesiser = self._polly

    async def start(self) -> None:
        """Read the voices, which tells whether AWS can be used at all. EngineError."""
        self._open_http()
        try:
            await self._polly.start()
        except EngineError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections. Never raises."""
        self._polly.close()
        if self._http is not None:
            await self._http.close()

    def _open_http(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return self._http
