"""`python -m voice.engines.local.worker hear|speak`: the process in which a model runs.

Jobs come on standard input, answers go to standard output (messages.py). What libraries print goes
to standard error. It ends with its standard input.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from voice.engines.local import messages

_NICE = 5
"""Below the voice host: its audio is on time, whatever a model computes."""

Work = Callable[[messages.Job], Iterator[messages.Answer]]


def main(does: str) -> int:
    """Load the model of `does`, then do one job after the other until the input ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.nice(_NICE)
    work, voices = _loaded(does)
    answers.write(messages.encode(messages.Ready(voices)))
    while (job := _next(sys.stdin.buffer)) is not None:
        for answer in _done(work, job):
            answers.write(answer)
    return 0


def _loaded(does: str) -> tuple[Work, list[str]]:
    if does == "hear":
        from voice.engines.local.whisper import Whisper

        return Whisper().work, []
    from voice.engines.local.hibari_voice import HibariVoice

    voice = HibariVoice()
    return voice.work, voice.names


def _next(jobs: BinaryIO) -> messages.Job | None:
    header = jobs.read(messages.HEADER.size)
    if len(header) < messages.HEADER.size:
        return None
    size = messages.length(messages.HEADER.unpack(header)[0])
    content = jobs.read(size)
    return messages.job(content) if len(content) == size else None


def _done(work: Work, job: messages.Job) -> Iterator[bytes]:
    """Yield the answers to a job, encoded. The job also fails if an answer is too long."""
    try:
        yield from map(messages.encode, work(job))
    except Exception as error:  # it must not end the worker, which others need
        yield messages.encode(messages.Failed(f"{type(error).__name__}: {error}"[:500]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
