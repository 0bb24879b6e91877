"""`python -m tests.load.sip_long --hours 2`: run, and print the verdict; 1 if it is not sound.

Every minute it writes a line of JSON with the gateway's counts to `.local/bench/sip-long.jsonl`;
the last line is the verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from local.layout import ROOT
from tests.load.machine import circumstances
from tests.load.sip_long.run import LongRun, Plan


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.sip_long", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--calls-per-minute", type=float, default=50.0)
    parser.add_argument("--pace", type=float, default=1.0, help="multiplies how long calls talk")
    parser.add_argument("--restart-every", type=float, default=600.0, metavar="S")
    parser.add_argument("--sample-every", type=float, default=60.0, metavar="S")
    parser.add_argument("--out", type=Path, default=ROOT / ".local" / "bench")
    given = parser.parse_args()
    plan = Plan(
        seconds=given.hours * 3600,
        calls_a_minute=given.calls_per_minute,
        restart_every_s=given.restart_every,
        sample_every_s=given.sample_every,
        pace=given.pace,
    )
    out = given.out.resolve()
    run = LongRun(plan, out / "sip-long", out / "sip-long.jsonl")
    verdict = {**circumstances(), "hours": given.hours} | asyncio.run(run.go())
    print(json.dumps(verdict, indent=1))
    return 0 if verdict["sound"] else 1


if __name__ == "__main__":
    sys.exit(main())
