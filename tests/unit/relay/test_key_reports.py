"""Reports of keys to the application."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.key_queue import AT_ONCE, EVERY_S, MAX_WAITING
from relay.network.control import NoAnswerError, RefusedError
from relay.network.key_reports import Clock, KeyReports


class RecordingApplication:
    """Records reports, one at a time, once `go` is set."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.go, self.asked = asyncio.Event(), asyncio.Event()
        self.faults: list[Exception] = []
        self.news: asyncio.Queue[str] = asyncio.Queue()
        self.under_way = 0

    async def __call__(self, digits: str, sequence: int) -> None:
        self.under_way += 1
        assert self.under_way == 1, "one at a time"
        self.asked.set()
        await self.go.wait()
        self.under_way -= 1
        if self.faults:
            raise self.faults.pop(0)
        self.told.append((digits, sequence))
        self.news.put_nowait(digits)

    async def heard(self, digits: str) -> None:
        """Wait until these digits, and no others, were reported."""
        told = ""
        async with asyncio.timeout(5):
            while len(told) < len(digits):
                told += await self.news.get()
        assert told == digits


@pytest.fixture
def app() -> RecordingApplication:
    return RecordingApplication()


class SteppedTime:
    """A clock that only advances when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.clock = Clock(lambda: self.seconds, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> SteppedTime:
    return SteppedTime()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.network.key_reports.PAUSES_S", (0.0, 0.0))


async def test_keys_pressed_during_a_report_go_together_in_the_next(
    app: RecordingApplication, time: SteppedTime
) -> None:
    keys = KeyReports("call_1", app, time.clock)
    keys.press("1")
    await app.asked.wait()
    for digit in "23*#":
        keys.press(digit)
    app.go.set()
    await app.heard("123*#")
    assert [told for told, _ in app.told] == ["1", "23*#"]
    assert app.told[0][1] < app.told[1][1]


async def test_a_report_is_repeated_until_it_is_answered(
    app: RecordingApplication, time: SteppedTime
) -> None:
    app.faults = [NoAnswerError("down"), NoAnswerError("down")]
    app.go.set()
    KeyReports("call_1", app, time.clock).press("7")
    await app.heard("7")


@pytest.mark.parametrize(
    "fault", [RefusedError(404, "call_not_found", None), RuntimeError("a fault")]
)
async def test_refused_keys_do_not_delay_the_next(
    app: RecordingApplication, time: SteppedTime, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    app.faults = [fault]
    keys = KeyReports("call_1", app, time.clock)
    app.go.set()
    keys.press("1")
    await app.asked.wait()
    keys.press("2")
    await app.heard("2")
    assert "keys not reported" in caplog.text


async def test_keys_are_reported_again_after_a_report_that_failed(
    app: RecordingApplication, time: SteppedTime, caplog: pytest.LogCaptureFixture
) -> None:
    app.faults = [NoAnswerError("down")] * 3
    app.go.set()
    keys = KeyReports("call_1", app, time.clock)
    keys.press("1")
    assert keys._sending is not None
    await asyncio.wait_for(keys._sending, 5)
    assert "keys not reported" in caplog.text
    keys.press("2")
    await app.heard("2")


async def test_a_bounded_number_of_keys_waits(
    app: RecordingApplication, time: SteppedTime, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeyReports("call_1", app, time.clock)
    keys.press("0")
    await app.asked.wait()
    for _ in range(1000):
        keys.press("1")
    app.go.set()
    await app.heard("0" + "1" * MAX_WAITING)
    assert max(len(told) for told, _ in app.told) == AT_ONCE
    (line,) = (record for record in caplog.records if record.why == "too many waited")
    assert line.count == 1000 - MAX_WAITING


async def test_the_first_key_is_reported_at_once_and_the_rest_together_a_second_later(
    app: RecordingApplication, time: SteppedTime
) -> None:
    app.go.set()
    keys = KeyReports("call_1", app, time.clock)
    keys.press("1")
    await app.heard("1")
    assert time.seconds == 1000.0
    for digit in "23456":
        keys.press(digit)
    await app.heard("23456")
    assert time.seconds == 1000.0 + EVERY_S
    assert [told for told, _ in app.told] == ["1", "23456"]


async def test_at_most_one_report_a_second_is_sent(
    app: RecordingApplication, time: SteppedTime
) -> None:
    app.go.set()
    keys = KeyReports("call_1", app, time.clock)
    for _ in range(70 * 10):
        keys.press("5")
        await time.sleep(1 / 70)
    await app.heard("5" * 700)
    assert len(app.told) <= time.seconds - 1000 + 1


async def test_a_key_after_a_quiet_second_is_reported_at_once(
    app: RecordingApplication, time: SteppedTime
) -> None:
    app.go.set()
    keys = KeyReports("call_1", app, time.clock)
    keys.press("1")
    await app.heard("1")
    await time.sleep(EVERY_S)
    keys.press("2")
    await app.heard("2")
    assert time.seconds == 1000.0 + EVERY_S
