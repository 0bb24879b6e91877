"""`python -m tests.load.sip_library PORT`: what the SIP stack itself costs in Python.

baresip-python and nothing around it: every call is answered at once and gets its own sound back,
carried by one 20 ms ticker as our SIP children have, but as PCM, uncoded, within one process. The
stack is configured as our children configure it. Once a second it prints by how much its ticker
was late at worst, in ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

from baresip import (
    Account,
    AudioNotActive,
    AudioRestarted,
    BaresipError,
    Call,
    CallState,
    Config,
    Runtime,
    UserAgent,
)

PERIOD = 0.020
FRAME = 320
AT_ONCE = 10 * FRAME
CUSHION = bytes(3 * FRAME)
STACK = """\
sip_listen 127.0.0.1:{port}
rtp_ports 10000-19999
rtp_tos 184
sip_tos 96
audio_level no
"""

_up: dict[Call, bool] = {}
"""Calls that are up, and whether their cushion is laid."""


def step(call: Call) -> None:
    """Send back what has come."""
    with contextlib.suppress(AudioNotActive, AudioRestarted):
        pcm = call.audio.read(AT_ONCE)
        if not pcm:
            return
        if not _up[call]:
            call.audio.write(CUSHION)
            _up[call] = True
        call.audio.write(pcm)


async def answer(call: Call) -> None:
    """One call, from INVITE to BYE."""
    with contextlib.suppress(BaresipError):
        await call.answer(video=True)
    while call.state is CallState.INCOMING:  # noqa: ASYNC110 - one of a hundred calls, for a moment
        await asyncio.sleep(PERIOD)
    _up[call] = False
    while call.state is CallState.ESTABLISHED:  # noqa: ASYNC110
        await asyncio.sleep(0.25)
    del _up[call]


async def tick() -> None:
    """All calls, every 20 ms."""
    due = reported = time.monotonic()
    worst = 0.0
    while True:
        due += PERIOD
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        late = time.monotonic() - due
        worst = max(worst, late)
        if late > 1.0:
            due = time.monotonic()
        for call in list(_up):
            step(call)
        if due - reported >= 1.0:
            print(f"{worst * 1000:.1f}", flush=True)
            reported, worst = due, 0.0


async def main(port: int) -> None:
    """Serve until killed."""
    runtime, tasks = Runtime(), set()
    await runtime.start(
        Config(
            net_interface="127.0.0.1",
            max_concurrent_calls=None,
            native_log_level="warning",
            extra_config_text=STACK.format(port=port),
        )
    )
    account = Account("bench", "127.0.0.1", "", reg_interval=0, extra_params=("catchall=yes",))
    agent = await UserAgent.create(runtime, account)

    def incoming(call: Call) -> None:
        task = asyncio.create_task(answer(call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    agent.on_incoming(incoming)
    await tick()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
