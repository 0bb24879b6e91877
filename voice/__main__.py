"""`python -m voice`: run one voice host until SIGTERM or SIGINT, then drain and exit with 0."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys

# What is computed for a frame is too small a job for several threads. Set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import aiohttp

from runtime.logs import set_up
from runtime.periodic_counts import log_counts
from voice import logs, metrics
from voice.config import Config, from_env
from voice.core.counters import Counters
from voice.core.speech_detector import SpeechDetector
from voice.core.voices import UnknownChoiceError, Voices
from voice.engines.base import EngineError, Engines
from voice.engines.choose import engines
from voice.network.call_socket import Host
from voice.network.reports import Reports, poster
from voice.network.server import VoiceHost


async def serve(config: Config, chosen: Engines) -> int:
    """Run one voice host until it gets a signal, then drain it. Return the exit status: 2 if its
    engines do not start, or it cannot listen.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as session:
        try:
            await chosen.start()
            counters = Counters()
            reports = Reports(config.voice_id, poster(config, session), counters)
            host = Host(chosen, _voices(config, chosen), reports, counters, SpeechDetector)
            return await _host_calls(config, VoiceHost(config, host), counters, stop)
        except (EngineError, UnknownChoiceError, ValueError) as error:
            sys.stderr.write(f"voice: the engine {chosen.name} cannot be used: {error}\n")
            return 2
        finally:
            await chosen.close()


def _voices(config: Config, chosen: Engines) -> Voices:
    wanted = config.engines
    synthesiser, recogniser = chosen.synthesiser, chosen.recogniser
    return Voices(synthesiser.voices, recogniser.languages, wanted.voice, wanted.language)


async def _host_calls(
    config: Config, host: VoiceHost, counters: Counters, stop: asyncio.Event
) -> int:
    try:
        port = await host.start()
    except OSError as error:
        sys.stderr.write(
            f"voice: it cannot listen on port {config.port} of {config.host} "
            f"({error.strerror}). Stop what listens there, or set VOICE_PORT or VOICE_HOST\n"
        )
        return 2
    logs.info("the voice host is ready for calls", host=config.host, port=port, url=config.url)
    sample = functools.partial(metrics.sample, counters, host.places)
    counting = asyncio.create_task(log_counts(sample, config.counts_s)) if config.counts_s else None
    await stop.wait()
    await host.drain()
    if counting:
        counting.cancel()
    return 0


def main() -> int:
    """Run the voice host. Return the exit status: 0, or 2 if a setting is missing or wrong, its
    port is taken, or its engines do not start.
    """
    try:
        config = from_env(os.environ)
        chosen = engines(config.engines)
    except ValueError as error:
        sys.stderr.write(f"voice: {error}\n")
        return 2
    set_up("voice", subjects=("call_id",), fields={"voice": config.voice_id})
    return asyncio.run(serve(config, chosen))


if __name__ == "__main__":
    sys.exit(main())
