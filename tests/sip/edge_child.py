"""A child for the edge's tests: the real stack, registered through the edge, answers every call.

`python edge_child.py SIP_PORT EDGE_INSIDE HOP RTP_PORTS`; prints `up` when it is registered, then a
line `calls N` when asked by a line on stdin; `dial URI` calls, and says `dialled CODE`.
"""

import asyncio
import contextlib
import sys

from baresip import Account, Config, Runtime, UserAgent
from baresip.call import CallState

calls = set()


async def talk(call, outgoing):
    calls.add(call)
    with contextlib.suppress(Exception):
        if not outgoing:
            await call.answer(video=True)
        while call.state is not CallState.CLOSED:
            with contextlib.suppress(Exception):
                call.audio.read(3200)
                call.audio.write(b"\1\0" * 160)
            await asyncio.sleep(0.02)
    calls.discard(call)


async def main(port, edge, hop, rtp):
    runtime = Runtime()
    await runtime.start(
        Config(
            net_interface="127.0.0.1",
            max_concurrent_calls=None,
            expose_headers=("To", "From", "Diversion", "X-Chamade-Source", "X-Chamade-Request-URI"),
            extra_config_text=f"sip_listen 127.0.0.1:{port}\nrtp_ports {rtp}\n",
        )
    )
    agent = await UserAgent.create(
        runtime,
        Account(
            user="alice",
            domain="trunk.example",
            password="secret",
            registrar=f"{edge};transport=udp;hop={hop};via=udp",
            reg_interval=3600,
            extra_params=("catchall=yes",),
        ),
    )
    tasks = set()

    def incoming(call):
        tasks.add(asyncio.create_task(talk(call, outgoing=False)))

    agent.on_incoming(incoming)
    await agent.register()
    print("up", flush=True)
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line.startswith("dial "):
            call = await agent.dial(line[5:])
            tasks.add(asyncio.create_task(talk(call, outgoing=True)))
            print("dialled", flush=True)
        else:
            print("calls", len(calls), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
