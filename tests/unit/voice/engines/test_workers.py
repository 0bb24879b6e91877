"""Worker processes: what becomes of jobs whose worker dies, hangs or talks nonsense.

The worker is a process of our protocol without a model: a job's text says what the worker does.
The real models are in tests/voice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from voice.engines.base import EngineError, VoiceInfo
from voice.engines.local import messages
from voice.engines.local.engine import LocalSynthesiser
from voice.engines.local.workers import ROOT, Kind, Pool

LEAST_PRIORITY = 19
"""Nobody is nicer: tests may run with it."""
WORKER = f"""#!{sys.executable}
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from voice.engines.local import messages, worker

def work(job):
    word = job.pcm.decode() if isinstance(job, messages.Hear) else getattr(job, "text", "")
    if word == "die" or (word == "die once" and not os.path.exists({{mark!r}})):
        open({{mark!r}}, "w").close()
        os._exit(3)
    if word == "hang":
        time.sleep(600)
    if word == "nonsense":
        os.write(answers, b"\\x00\\x00\\x00\\x02??")
        time.sleep(600)
    if word == "print":
        print("a library prints", flush=True)
    if word == "fail":
        raise ValueError("no such word")
    if word == "too long":
        yield messages.Audio(bytes(messages.MAX_FRAME))
    if word == "slow":
        time.sleep(0.3)
    if isinstance(job, messages.SpeakOn) or word == "three stretches":
        rest = job.rest if isinstance(job, messages.SpeakOn) else ["one", "two", "three"]
        yield messages.Audio(rest[0].encode() * 2)
        yield messages.Done(rest[1:])
    elif isinstance(job, messages.Speak):
        for _ in range(3):
            yield messages.Audio(word.encode() * 2)
        yield messages.Done()
    else:
        yield messages.Text(f"{{os.getpid()}} {{word}}", 0.5)

def loaded(does):
    global answers
    fds = [each for each in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + each)]
    answers = max(map(int, fds))
    return work, ["table"]

worker._loaded = loaded
sys.exit(worker.main(sys.argv[-1]))
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    program = tmp_path / "python"
    mark = str(tmp_path / "died")
    program.write_text(WORKER.replace("{{mark!r}}", repr(mark)).replace("{mark!r}", repr(mark)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@asynccontextmanager
async def _pool(python: str, does: str = "hear", job_s: float = 30.0) -> AsyncIterator[Pool]:
    pool = Pool(Kind(does, 1, python, job_s), max_waiting=4)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def _hear(pool: Pool, word: str, call: str = "call") -> messages.Answer:
    async with aclosing(pool.run(call, messages.Hear(word.encode()))) as answers:
        return [each async for each in answers][-1]


def _text(answer: messages.Answer) -> tuple[int, str]:
    assert isinstance(answer, messages.Text)
    pid, _, word = answer.text.partition(" ")
    return int(pid), word


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_job_whose_worker_dies_is_done_by_its_successor(python: str) -> None:
    async with _pool(python) as pool:
        first, _ = _text(await _hear(pool, "hello"))
        second, word = _text(await _hear(pool, "die once"))
        assert word == "die once"
        assert second != first


async def test_a_job_that_kills_every_worker_fails_and_the_next_one_is_done(python: str) -> None:
    async with _pool(python) as pool:
        with pytest.raises(EngineError, match="lost"):
            await _hear(pool, "die")
        assert _text(await _hear(pool, "hello"))[1] == "hello"


@pytest.mark.parametrize("word", ["hang", "nonsense"])
async def test_a_worker_that_hangs_or_talks_nonsense_is_replaced(python: str, word: str) -> None:
    async with _pool(python, job_s=3.0) as pool:
        first, _ = _text(await _hear(pool, "hello"))
        with pytest.raises(EngineError):
            await _hear(pool, word)
        async with asyncio.timeout(30):
            second, _ = _text(await _again(pool))
        assert second != first


async def _again(pool: Pool) -> messages.Answer:
    while True:
        try:
            return await _hear(pool, "hello")
        except EngineError:
            await asyncio.sleep(0.1)


async def test_a_job_that_fails_says_why_and_ends_no_worker(python: str) -> None:
    async with _pool(python) as pool:
        first, _ = _text(await _hear(pool, "hello"))
        assert await _hear(pool, "fail") == messages.Failed("ValueError: no such word")
        assert _text(await _hear(pool, "hello"))[0] == first


async def test_an_answer_that_is_too_long_to_be_sent_ends_no_worker(python: str) -> None:
    async with _pool(python) as pool:
        first, _ = _text(await _hear(pool, "hello"))
        failed = await _hear(pool, "too long")
        assert isinstance(failed, messages.Failed)
        assert "at most" in failed.why
        assert _text(await _hear(pool, "hello"))[0] == first


async def test_what_a_library_prints_is_no_answer(python: str) -> None:
    async with _pool(python) as pool:
        assert _text(await _hear(pool, "print"))[1] == "print"


async def test_an_abandoned_job_leaves_its_worker_whole_for_the_next_one(python: str) -> None:
    async with _pool(python) as pool:
        abandoned = asyncio.create_task(_hear(pool, "slow"))
        await asyncio.sleep(0.1)
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        assert _text(await _hear(pool, "hello"))[1] == "hello"


async def test_speech_that_is_stopped_midway_does_not_come_with_the_next_one(python: str) -> None:
    async with _pool(python, "speak") as pool:
        assert pool.voices == ["table"]
        async with aclosing(pool.run("call", messages.Speak("one", "table", 1.0))) as answers:
            assert await anext(answers) == messages.Audio(b"oneone")
        async with aclosing(pool.run("call", messages.Speak("two", "table", 1.0))) as answers:
            assert [each async for each in answers] == [messages.Audio(b"twotwo")] * 3 + [
                messages.Done()
            ]


async def test_long_speech_is_made_in_stretches_and_others_have_a_turn_between(python: str) -> None:
    order: list[bytes] = []

    async def speak(text: str) -> None:
        async for pcm in synthesiser.speak(text, VoiceInfo("table", "en-US", "local"), 1.0):
            order.append(pcm)

    async with _pool(python, "speak") as pool:
        synthesiser = LocalSynthesiser(pool)
        async with asyncio.timeout(30):
            await asyncio.gather(speak("three stretches"), speak("no"))
    long = [each for each in order if each != b"nono"]
    assert long == [b"oneone", b"twotwo", b"threethree"]
    assert order[1:4] == [b"nono"] * 3, "it waits for one stretch, not for all"


async def test_a_worker_ends_when_its_host_is_killed(python: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from voice.engines.local.workers import Kind, Pool\n"
        "from voice.engines.local import messages\n"
        "async def main():\n"
        f"    pool = Pool(Kind('hear', 1, {python!r}), max_waiting=1)\n"
        "    await pool.start()\n"
        "    async for answer in pool.run('call', messages.Hear(b'hello')):\n"
        "        print(answer.text.split()[0], flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert host.stdout is not None
    worker = int(await host.stdout.readline())
    host.send_signal(signal.SIGKILL)
    await host.wait()
    await _until(lambda: not _runs(worker))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_worker_is_told_no_secret(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAMADE_VOICE_SECRET", "very-secret")
    async with _pool(python) as pool:
        pid, _ = _text(await _hear(pool, "hello"))
        assert b"very-secret" not in _environment(pid)
        lower = min(LEAST_PRIORITY, os.getpriority(os.PRIO_PROCESS, 0) + 5)
        assert os.getpriority(os.PRIO_PROCESS, pid) == lower


def test_a_message_that_no_job_or_answer_can_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        messages.encode(messages.Hear(bytes(messages.MAX_FRAME + 1)))


async def test_an_engine_without_its_packages_says_so_at_the_start(tmp_path: Path) -> None:
    pool = Pool(Kind("hear", 1, str(tmp_path / "nothing")), max_waiting=1)
    with pytest.raises(EngineError, match="cannot be run"):
        await pool.start()
