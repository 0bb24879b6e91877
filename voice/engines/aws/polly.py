"""Amazon Polly's neural voices: speech at 8 kHz, as it is made.

botocore is the official client, and it blocks: each sentence that is being spoken has a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from xml.sax.saxutils import escape

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from voice.engines.base import SAMPLE_RATE, EngineError, VoiceInfo

T = TypeVar("T")
NAME = "aws"
_CHUNK = 100 * 16
"""Bytes that are read at once: 100 ms."""
_FIRST = {"en-US": "Joanna", "en-GB": "Amy", "de-DE": "Vicki", "fr-FR": "Lea", "es-ES": "Lucia"}
"""Default voices of languages that have several: ones that Polly has had for years."""
_TIMES = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
)


class PollySynthesiser:
    """Polly, for all calls of the process."""

    def __init__(
        self, session: botocore.session.Session, most: int, endpoint: str | None = None
    ) -> None:
        """`most` sentences are spoken at once; `endpoint` None: the region's own."""
        self._session = session
        self._endpoint = endpoint
        self._config = _TIMES.merge(Config(max_pool_connections=most))
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="polly")
        self._client: Any = None
        self.voices: Sequence[VoiceInfo] = []

    async def start(self) -> None:
        """Read which voices there are. EngineError."""
        self.voices = await self._blocking(self._read_voices)

    def close(self) -> None:
        """End the threads. Never raises."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def speak(self, text: str, voice: VoiceInfo, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the speech of a sentence. EngineError."""
        request = {
            "Engine": "neural",
            "LanguageCode": voice.language,
            "OutputFormat": "pcm",
            "SampleRate": str(SAMPLE_RATE),
            "VoiceId": voice.name,
            **_text(text, speed),
        }
        answer = await self._blocking(lambda: self._client.synthesize_speech(**request))
        body = answer["AudioStream"]
        rest = b""
        try:
            while pcm := await self._blocking(lambda: body.read(_CHUNK)):
                pcm = rest + pcm
                whole = len(pcm) & ~1
                rest = pcm[whole:]
                yield pcm[:whole]
        finally:
            body.close()

    def _read_voices(self) -> list[VoiceInfo]:
        self._client = self._session.create_client(
            "polly", endpoint_url=self._endpoint, config=self._config
        )
        pages = self._client.get_paginator("describe_voices").paginate(Engine="neural")
        found = [
            VoiceInfo(each["Id"], each["LanguageCode"], NAME)
            for page in pages
            for each in page["Voices"]
        ]
        return sorted(found, key=lambda each: (_FIRST.get(each.language) != each.name, each.name))

    async def _blocking(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except ClientError as error:
            raise EngineError(f"Amazon Polly: {error}"[:300]) from error
        except BotoCoreError as error:
            raise EngineError(f"Amazon Polly: {error}"[:300]) from error
        except (HTTPClientError, HTTPError, OSError, ValueError) as error:
            raise EngineError(f"Amazon Polly: {type(error).__name__}") from error


def _text(text: str, speed: float) -> dict[str, str]:
    if speed == 1.0:
        return {"Text": text, "TextType": "text"}
    rate = f'<prosody rate="{round(speed * 100)}%">{escape(text)}</prosody>'
    return {"Text": f"<speak>{rate}</speak>", "TextType": "ssml"}
