"""The command `python -m gateway.caller`: call a running stack, speak a WAV, record another.

A command line over `softphone/`. Exit codes: 0 answered and ended, 1 not answered (busy,
rejected, missed), 2 wrong usage or no connection.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway.softphone import cli


async def _call(options: argparse.Namespace) -> int:
    cli.speech(options), cli.keys(options)  # report a bad file before it rings anywhere
    at = ("carrier_url",) if options.carrier else ("gateway_url",)
    call = await cli.phone(options, at).place_call(
        options.to, from_=options.caller, forwarded_from=options.forwarded_from
    )
    cli.say(f"calling {options.to} as {options.caller}")
    try:
        async with asyncio.timeout(options.give_up_after):
            answered = await call.wait_answered()
    except TimeoutError:
        call.hangup()
        await call.ended.wait()
        answered = False
    if answered:
        await cli.talk(call, options)
    await call.close()
    return cli.report(call, options, "caller")


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and make the call."""
    parser = argparse.ArgumentParser(prog="python -m gateway.caller", description="Places a call.")
    parser.add_argument("--to", required=True, help="the number to call, E.164")
    parser.add_argument("--from", dest="caller", default="+15550000001")
    parser.add_argument("--forwarded-from", help="the number that forwarded the call")
    parser.add_argument(
        "--carrier",
        action="store_true",
        help="be a phone of the carrier of `make run`, and call a number of the trunk there",
    )
    parser.add_argument("--give-up-after", type=float, metavar="S", help="hang up if unanswered")
    cli.add_options(parser)
    return cli.run(_call(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
