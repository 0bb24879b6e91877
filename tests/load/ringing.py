"""Measures when ringing calls that nobody accepts are missed: each on its deadline, a minute later?
And how soon an agent is heard that accepts one of them, while the others ring.

Deadlines are measured by the application's own times (`ended_at` - `created_at`). A call can be
expired by its Step Functions execution or by the provider's next poll, whichever comes first; the
application's log tells how many the polls took, and all executions must succeed either way.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

from gateway.softphone.call import PhoneCall
from gateway.softphone.phone import Softphone
from local import aws
from local.environment import STATE_MACHINE_ARN
from local.layout import Layout
from tests.load.answer import CALL_LIMIT_S, Timed, accept_and_hear
from tests.load.report import Figure, Options, Result
from tests.load.stack import World, epoch_s, quantile, say, stack

NUMBERS = 5
BETWEEN_S = (60.0, 61.5)
ARRIVE_S, RING_S, SETTLE_S = 60.0, 90.0, 40.0
BUSY = 486
ACCEPTED, PART_ACCEPTED = 40, 10
"""So many calls are accepted at most, and no more than one in ten."""
CONNECTING = 100
"""Sockets that connect at a time: the gateway closes the oldest of too many strangers."""
EXPIRED = "call expire: ringing -> missed"


def measure(options: Options) -> Result:
    """One stack, all calls at once; a few are accepted, one after the other."""
    wanted = options.ringing_calls
    limit = options.ringing_carried or max(500, 2 * wanted)
    carried = min(limit, wanted)
    with stack(GATEWAY_MAX_CALLS=str(limit)) as world:
        came_s, all_calls, refused, heard = asyncio.run(
            _ring(world, wanted, carried, options.ringing_over_s)
        )
        executions, lasted = _executions(world.layout, carried)
        by_polls = _expired_by_polls(world.layout)
    calls = [call for call in all_calls if not call["answered_at"]]
    nobodys = carried - len(heard)
    durations = [epoch_s(call["ended_at"]) - epoch_s(call["created_at"]) for call in calls]
    endings = Counter(f"{call['state']}/{call['end_reason']}" for call in calls)
    created = [epoch_s(call["created_at"]) for call in calls]
    low, high = BETWEEN_S
    in_time = sum(low <= duration <= high for duration in durations)
    row = {
        "calls": len(calls),
        "came_in_s": came_s,
        "created_within_s": max(created) - min(created),
        "min_s": f"{min(durations):.3f}",
        "p50_s": f"{quantile(durations, 0.5):.3f}",
        "p95_s": f"{quantile(durations, 0.95):.3f}",
        "max_s": f"{max(durations):.3f}",
        "expired_by_polls": by_polls,
        "by_executions": endings["missed/ring_timeout"] - by_polls,
        "execution_p50_s": f"{quantile(lasted, 0.5):.3f}",
        "execution_max_s": f"{max(lasted):.3f}",
        "accepted": len(heard),
        "audio_p50_ms": quantile([1000 * one.first_audio for one in heard], 0.5),
        "audio_p95_ms": quantile([1000 * one.first_audio for one in heard], 0.95),
    }
    say(f"{row} {dict(endings)} {dict(executions)}")
    return Result(
        title="calls ringing at once, of which a few are accepted",
        parameters={
            "calls": wanted,
            "carried": carried,
            "numbers": NUMBERS,
            "over_s": options.ringing_over_s,
        },
        rows=[row],
        figures=[
            _all("calls that came in", len(all_calls), carried),
            _all("calls beyond the limit, refused before they rang", refused, wanted - carried),
            _all("missed with `ring_timeout`", endings["missed/ring_timeout"], nobodys),
            _all(f"missed after {low} to {high} s", in_time, nobodys),
            Figure(
                "accept → first audio meanwhile, p95",
                f"{row['audio_p95_ms']:.0f} ms of {len(heard)} calls",
            ),
            _all("executions that succeeded", executions["SUCCEEDED"], carried),
        ],
        raw=[
            {
                "durations_s": durations,
                "endings": dict(endings),
                "executions": dict(executions),
                "executions_lasted_s": lasted,
                "heard": [vars(one) for one in heard],
            }
        ],
    )


def _all(what: str, measured: int, wanted: int) -> Figure:
    return Figure(what, measured, f"all {wanted}", measured == wanted)


async def _ring(
    world: World, wanted: int, carried: int, over_s: float
) -> tuple[float, list[dict[str, Any]], int, list[Timed]]:
    """(seconds until all rang, the calls once all are over, how many were refused at once, the
    times of those that were accepted).
    """
    numbers, phone = await world.numbers(NUMBERS), world.phone()
    connecting = asyncio.Semaphore(CONNECTING)
    began = time.monotonic()
    placed = [
        _place(phone, numbers[at % NUMBERS], f"+1555{at:07d}", over_s * at / wanted, connecting)
        for at in range(wanted)
    ]
    phones = await asyncio.gather(*placed)
    refused = sum(each.ended.is_set() and each.ending.sip_code == BUSY for each in phones)
    while len(await world.calls()) < carried:
        if time.monotonic() > began + over_s + ARRIVE_S:
            say("not all calls came in")
            break
        await asyncio.sleep(0.1)
    came_s = time.monotonic() - began
    say(f"{carried} calls came in within {came_s:.1f} s, {refused} were refused")
    heard = await _accept_some(world, phones, carried)
    # Left alone: looking often would take from the stack what is to be measured.
    await asyncio.wait([asyncio.create_task(each.ended.wait()) for each in phones], timeout=RING_S)
    for each in phones:
        await each.close()
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline and await world.calls("ringing"):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return came_s, [call for call in await world.calls() if call["ended_at"]], refused, heard


async def _accept_some(world: World, phones: list[PhoneCall], carried: int) -> list[Timed]:
    """Accept some of the calls, the youngest first: the others' deadlines are nearer."""
    by_caller = {each.from_: each for each in phones}
    ringing = (await world.calls("ringing"))[: max(1, min(ACCEPTED, carried // PART_ACCEPTED))]
    heard = []
    for shown in ringing:
        phone = by_caller[shown["from"]]
        phone.keep_audio = True
        async with asyncio.timeout(CALL_LIMIT_S):
            heard.append(await accept_and_hear(world, phone, shown))
    say(f"{len(heard)} of them were accepted")
    return heard


async def _place(
    phone: Softphone, number: str, caller: str, after_s: float, connecting: asyncio.Semaphore
) -> PhoneCall:
    await asyncio.sleep(after_s)
    async with connecting:
        call = await phone.place_call(number, from_=caller, speak=False)
    call.keep_audio = False
    return call


def _executions(layout: Layout, wanted: int) -> tuple[Counter[str], list[float]]:
    """Return the states and durations (s) of the state machine's executions.

    Looks once none runs, or patience is over.
    """
    client = aws.client(layout, "stepfunctions")
    deadline = time.monotonic() + SETTLE_S
    while True:
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=STATE_MACHINE_ARN)
        all_ = [each for page in pages for each in page["executions"]]
        statuses = Counter(str(each["status"]) for each in all_)
        running = statuses["RUNNING"] or len(all_) < wanted
        if not running or time.monotonic() > deadline:
            over = [each for each in all_ if each.get("stopDate")]
            return statuses, [
                (each["stopDate"] - each["startDate"]).total_seconds() for each in over
            ]
        time.sleep(0.5)


def _expired_by_polls(layout: Layout) -> int:
    """Calls that the API server expired, which only a poll makes it do; from its log."""
    log = layout.state_dir / "logs" / "api.log"
    expired = set()
    for line in log.read_text(errors="replace").splitlines():
        if EXPIRED in line:
            expired.add(json.loads(line)["call_id"])
    return len(expired)
