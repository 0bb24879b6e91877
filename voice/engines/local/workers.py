"""Worker processes, from the voice host's side: they are started, given jobs, and replaced when
they die or hang.

They are processes, not threads: a model's Python would take the interpreter from the audio of all
calls. A worker gets no setting of ours but what it needs, so no secret. It ends when its standard
input ends, so it never outlives the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, Coroutine, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from voice.engines.base import EngineError
from voice.engines.local import messages
from voice.engines.local.turns import QueueFullError, Turns

_log = logging.getLogger("voice")

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # whatever a library would like to download
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
START_S = 60.0
"""Seconds within which a worker must have loaded its model."""
JOB_S = 20.0
"""Seconds within which a worker must answer; then it hangs, and is replaced."""
_BACK_S = 1.0, 30.0
"""Seconds before a worker that does not start is tried again, at first and at most."""
_AHEAD = 16
"""Answers that are read ahead of whoever takes them; then the worker waits."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The workers of a pool: what they do (`hear` or `speak`), how many, and by which Python."""

    does: str
    count: int
    python: str = sys.executable
    job_s: float = JOB_S


class WorkerLostError(Exception):
    """The worker died, hung, or sent what is no answer."""


class Worker:
    """One worker process. It has one job at a time."""

    def __init__(self, process: asyncio.subprocess.Process, job_s: float) -> None:
        if process.stdin is None or process.stdout is None:
            raise TypeError("a worker has pipes")
        self._process, self._jobs, self._out = process, process.stdin, process.stdout
        self._job_s = job_s
        self._answers: asyncio.Queue[messages.Answer | WorkerLostError] = asyncio.Queue(_AHEAD)
        # A task of its own reads: whoever waits for an answer may be cancelled halfway through it.
        self._reading = asyncio.create_task(self._read())
        self.busy = True
        """True while an answer is to come."""
        self.voices: list[str] = []

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @classmethod
    async def start(cls, kind: Kind) -> Worker:
        """Start a worker, and wait until its model is warm. WorkerLostError."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(kind.python, "-m", "voice.engines.local.worker", kind.does),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=ENVIRONMENT,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the host, which ends its workers
            )
        except OSError as error:
            raise WorkerLostError(f"{kind.python} cannot be run: {error.strerror}") from error
        worker = cls(process, kind.job_s)
        try:
            ready = await worker.answer(START_S)
            if not isinstance(ready, messages.Ready):
                raise WorkerLostError(f"it is not ready: {ready}")
        except BaseException:
            await worker.end()
            raise
        worker.voices = ready.voices
        return worker

    async def run(self, job: messages.Job) -> AsyncGenerator[messages.Answer, None]:
        """Yield the answers to a job, the last one included. WorkerLostError."""
        content = messages.encode(job)
        self.busy = True
        try:
            self._jobs.write(content)
            await self._jobs.drain()
        except OSError as error:
            raise WorkerLostError("it is gone") from error
        while self.busy:
            yield await self.answer()

    async def answer(self, within_s: float | None = None) -> messages.Answer:
        """Return the next answer. WorkerLostError if it does not come, within `job_s` at most."""
        within_s = within_s or self._job_s
        try:
            async with asyncio.timeout(within_s):
                answer = await self._answers.get()
        except TimeoutError as error:
            raise WorkerLostError(f"no answer within {within_s:.0f} s") from error
        if isinstance(answer, WorkerLostError):
            raise answer
        self.busy = isinstance(answer, messages.Audio)
        return answer

    async def _read(self) -> None:
        read = self._out.readexactly
        while True:
            try:
                size = messages.length(*messages.HEADER.unpack(await read(messages.HEADER.size)))
                answer = messages.answer(await read(size))
            except asyncio.IncompleteReadError:
                return await self._answers.put(WorkerLostError("it ended"))
            except (ValueError, msgspec.MsgspecError) as error:
                return await self._answers.put(WorkerLostError(f"it sent nonsense: {error}"))
            await self._answers.put(answer)

    async def end(self) -> None:
        """Kill the worker. Never raises."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._process.wait()


class Pool:
    """Workers of one kind, which calls share in turn."""

    def __init__(self, kind: Kind, *, max_waiting: int) -> None:
        self._kind = kind
        self._turns: Turns[Worker] = Turns(max_waiting=max_waiting)
        self._workers: set[Worker] = set()
        self._background: set[asyncio.Task[None]] = set()
        self.voices: list[str] = []

    @property
    def workers(self) -> frozenset[Worker]:
        """Return the workers that are up."""
        return frozenset(self._workers)

    async def start(self) -> None:
        """Start the workers. EngineError says why one does not start."""
        try:
            for _ in range(self._kind.count):
                self._welcome(await Worker.start(self._kind))
        except WorkerLostError as error:
            await self.close()
            raise EngineError(f"the worker that is to {self._kind.does} failed: {error}") from error

    async def close(self) -> None:
        """End the workers, and the jobs that they have. Never raises."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._workers))
        self._workers.clear()

    async def run(self, call: Hashable, job: messages.Job) -> AsyncGenerator[messages.Answer, None]:
        """Yield the answers to a job of `call`, when it is its turn. EngineError.

        A job whose worker dies before it answers is given to another one, once: the job may be what
        kills workers. Whoever stops iterating calls `aclose`.
        """
        for last in (False, True):
            worker = await self._take(call)
            answered = False
            try:
                async with contextlib.aclosing(worker.run(job)) as answers:
                    async for answer in answers:
                        answered = True
                        yield answer
            except WorkerLostError as error:
                _log.warning(
                    "a worker was lost", extra={"does": self._kind.does, "why": str(error)}
                )
                self._in_background(self._replace(worker))
                if answered or last:
                    raise EngineError(f"the worker was lost: {error}") from error
            except BaseException:
                self._release(worker)
                raise
            else:
                self._release(worker)
                return

    async def _take(self, call: Hashable) -> Worker:
        try:
            async with asyncio.timeout(self._kind.job_s):
                return await self._turns.take(call)
        except TimeoutError as error:
            raise EngineError(f"no worker is free to {self._kind.does}") from error
        except QueueFullError as error:
            raise EngineError(f"no worker is free to {self._kind.does}: {error}") from error

    def _release(self, worker: Worker) -> None:
        if worker.busy:
            self._in_background(self._finish(worker))
        else:
            self._turns.give(worker)

    async def _finish(self, worker: Worker) -> None:
        """Wait for the end of a job that nobody wants any more: a model cannot be interrupted."""
        try:
            while worker.busy:
                await worker.answer()
        except WorkerLostError:
            await self._replace(worker)
        else:
            self._turns.give(worker)

    async def _replace(self, worker: Worker) -> None:
        self._workers.discard(worker)
        await worker.end()
        pause, longest = _BACK_S
        while True:
            try:
                return self._welcome(await Worker.start(self._kind))
            except WorkerLostError as error:
                _log.warning(
                    "a worker does not start", extra={"does": self._kind.does, "why": str(error)}
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _welcome(self, worker: Worker) -> None:
        self.voices = worker.voices
        self._workers.add(worker)
        self._turns.give(worker)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
