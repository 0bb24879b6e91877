"""The dashboard's list of calls while many calls come, ring and end: how long does the page's main
thread stay with one task, and how long between two frames? In Chromium, on the same cores as the
stack; `empty` is the same page with nothing to show.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, expect

from gateway.softphone.phone import Softphone
from tests.browser.chromium import chromium
from tests.browser.person import person
from tests.load.report import Figure, Options, Result
from tests.load.stack import World, quantile, say, stack

NUMBERS = 5
IDLE_S, RING_S = 5.0, 10.0
AT_A_TIME = 8
LONGEST_MS = 100.0
_WATCH = """() => {
  const seen = (globalThis.seen = { tasks: [], gaps: [] });
  globalThis.watching?.disconnect();
  globalThis.watching = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) globalThis.seen.tasks.push(duration);
  });
  globalThis.watching.observe({ type: "longtask" });
  let last = performance.now();
  const frame = (now) => {
    if (globalThis.seen !== seen) return;
    seen.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def measure(options: Options) -> Result:
    """One stack, one page; calls come, ring and are refused."""
    wanted = options.ringing_calls
    with stack(GATEWAY_MAX_CALLS=str(max(500, 2 * wanted))) as world:
        rows = asyncio.run(_watched(world, wanted))
    longest = max(row["longest_task_ms"] for row in rows)
    return Result(
        title="the dashboard's list while calls come and go",
        parameters={"calls": wanted, "numbers": NUMBERS},
        rows=rows,
        figures=[Figure("longest task, ms", longest, f"< {LONGEST_MS:g}", longest < LONGEST_MS)],
        notes=["a long task is one of 50 ms or more; a frame is due every 16.7 ms"],
    )


async def _watched(world: World, wanted: int) -> list[dict[str, Any]]:
    numbers, phone = await world.numbers(NUMBERS), world.phone()
    async with chromium() as browser, person(browser, world.layout.api_url) as one:
        await one.open("#/calls")
        await one.sign_in(world.rest.key)
        ringing = one.page.get_by_role("list", name="Ringing calls").get_by_role("listitem")
        rows = [await _phase(one.page, "empty", 0, lambda: asyncio.sleep(IDLE_S))]

        async def come() -> None:
            await _in_groups(wanted, lambda at: _place(phone, numbers[at % NUMBERS], at))
            await expect(ringing).to_have_count(wanted, timeout=60_000)

        rows.append(await _phase(one.page, "coming", wanted, come))
        rows.append(await _phase(one.page, "ringing", 0, lambda: asyncio.sleep(RING_S)))
        calls = await world.calls("ringing")

        async def go() -> None:
            refuse = "/api/call/{}/refuse"
            await _in_groups(
                len(calls),
                lambda at: world.rest("POST", refuse.format(calls[at]["call_id"])),
            )
            await expect(ringing).to_have_count(0, timeout=60_000)

        rows.append(await _phase(one.page, "ending", len(calls), go))
        one.wrong.clear()
        return rows


async def _in_groups(count: int, work: Callable[[int], Awaitable[Any]]) -> None:
    places = iter(range(count))

    async def worker() -> None:
        for at in places:
            await work(at)

    await asyncio.gather(*(worker() for _ in range(AT_A_TIME)))


async def _place(phone: Softphone, number: str, at: int) -> None:
    call = await phone.place_call(number, from_=f"+1555{at:07d}", speak=False)
    call.keep_audio = False


async def _phase(
    page: Page, name: str, changes: int, work: Callable[[], Awaitable[Any]]
) -> dict[str, Any]:
    await page.evaluate(_WATCH)
    began = time.monotonic()
    await work()
    lasted = time.monotonic() - began
    seen = await page.evaluate("globalThis.seen")
    tasks, gaps = seen["tasks"], seen["gaps"] or [0.0]
    row = {
        "list": name,
        "changes_per_s": round(changes / lasted, 1),
        "long_tasks": len(tasks),
        "longest_task_ms": round(max(tasks, default=0.0), 1),
        "frame_p95_ms": round(quantile(gaps, 0.95), 1),
        "frame_max_ms": round(max(gaps), 1),
    }
    say(str(row))
    return row
