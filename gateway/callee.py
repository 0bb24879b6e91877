"""The command `python -m gateway.callee`: register a number, take one call, speak, record.

It is a phone behind the carrier of `make run`, for calls that are dialled through the trunk; with
`--gateway` it is one at that gateway. A command line over `softphone/`. Exit codes: 0 answered and
ended, 1 rejected or given up by the other side, 2 wrong usage, no connection or no call in time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway.softphone import cli


async def _answer(options: argparse.Namespace) -> int:
    cli.speech(options), cli.keys(options)  # report a bad file before a call comes in
    phone = cli.phone(options, ("carrier_url", "gateway_url"))
    registration = await phone.register(options.number)
    cli.say(f"waiting for a call to {options.number}")
    try:
        async with asyncio.timeout(options.wait):
            call = await registration.next_call()
    except TimeoutError:
        raise cli.UsageError(f"nobody called within {options.wait} s") from None
    cli.say(f"{call.from_} is calling")
    if options.reject:
        call.reject(options.reject)
    else:
        try:
            async with asyncio.timeout(options.accept_after):
                await call.ended.wait()
        except TimeoutError:
            call.accept()
    if await call.wait_answered():
        await cli.talk(call, options)
    await call.close()  # this ends the registration too: they share a socket
    return cli.report(call, options, "callee")


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and wait for the call."""
    parser = argparse.ArgumentParser(prog="python -m gateway.callee", description="Takes a call.")
    parser.add_argument("--number", required=True, help="the number to be called at, E.164")
    parser.add_argument("--wait", type=float, metavar="S", help="longest wait for the call")
    parser.add_argument("--accept-after", type=float, default=0.5, metavar="S")
    parser.add_argument("--reject", choices=("busy", "declined"))
    cli.add_options(parser)
    return cli.run(_answer(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
