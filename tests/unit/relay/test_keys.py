"""Keys on their way to the application."""

from __future__ import annotations

import asyncio

import pytest

from relay.control import RefusedError, UnreachableError
from relay.keys import Keys


class Application:
    """Takes reports one by one, when `go` is set."""

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
        """Wait until these were told, and nothing else."""
        told = ""
        async with asyncio.timeout(5):
            while len(told) < len(digits):
                told += await self.news.get()
        assert told == digits


@pytest.fixture
def app() -> Application:
    return Application()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.keys.PAUSES_S", (0.0, 0.0))


async def test_keys_that_come_meanwhile_go_together_and_in_order(app: Application) -> None:
    keys = Keys("call_1", app)
    keys.press("1")
    await app.asked.wait()
    for digit in "23*#":
        keys.press(digit)
    app.go.set()
    await app.heard("123*#")
    assert [told for told, _ in app.told] == ["1", "23*#"]
    assert app.told[0][1] < app.told[1][1]


async def test_what_is_no_key_is_let_pass(app: Application) -> None:
    keys = Keys("call_1", app)
    app.go.set()
    for odd in ("", "w", "12", "é", "5"):
        keys.press(odd)
    await app.heard("5")


async def test_a_report_is_repeated_with_its_number_until_there_is_an_answer(
    app: Application,
) -> None:
    app.faults = [UnreachableError("down"), UnreachableError("down")]
    app.go.set()
    Keys("call_1", app).press("7")
    await app.heard("7")


@pytest.mark.parametrize(
    "fault", [RefusedError(404, "call_not_found", None), RuntimeError("a fault")]
)
async def test_keys_that_are_refused_do_not_hold_up_the_next(
    app: Application, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    app.faults = [fault]
    keys = Keys("call_1", app)
    app.go.set()
    keys.press("1")
    await app.asked.wait()
    keys.press("2")
    await app.heard("2")
    assert "keys not reported" in caplog.text


async def test_an_application_that_is_gone_costs_its_keys_and_nothing_else(
    app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    app.faults = [UnreachableError("down")] * 3
    app.go.set()
    keys = Keys("call_1", app)
    keys.press("1")
    assert keys._sending is not None
    await asyncio.wait_for(keys._sending, 5)
    assert "keys not reported" in caplog.text
    keys.press("2")
    await app.heard("2")


async def test_no_more_wait_than_is_sensible(app: Application) -> None:
    keys = Keys("call_1", app)
    keys.press("0")
    await app.asked.wait()
    for _ in range(1000):
        keys.press("1")
    app.go.set()
    await app.heard("0" + "1" * 256)
    assert max(len(told) for told, _ in app.told) == 64
