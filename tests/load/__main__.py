"""`python -m tests.load [name …] [--quick]`: runs benches; the last line is the report's path."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.layout import ROOT
from tests.load import report
from tests.load.c_programs import CannotCompile
from tests.load.former_gateway import CannotBuild
from tests.load.machine import circumstances
from tests.load.report import Options

BENCHES = (
    "codecs",
    "hot_path",
    "import_app",
    "relay",
    "answer",
    "ringing",
    "sip",
    "trunks",
    "dashboard",
    "voice",
    "voice_engine",
)

ON_DEMAND = ("answered", "cost_per_call", "relay_long", "deaths")
"""Benches that run only when they are named."""


def main() -> int:
    """0 once all was measured, whatever came out; 2 if it cannot be."""
    arguments = _arguments()
    if arguments.markdown:
        print(report.markdown(json.loads(arguments.markdown.read_text())))
        return 0
    quick, out = arguments.quick, arguments.out.resolve()
    options = Options(
        quick=quick,
        work=out,
        relay_calls=arguments.calls or ([40, 100] if quick else [40, 100, 200, 250]),
        ringing_calls=arguments.ringing or (50 if quick else 1000),
        ringing_over_s=arguments.over,
        ringing_carried=arguments.carried,
        sip_calls=tuple(arguments.calls or ()),
        subjects=tuple(arguments.subjects or ()),
        former=arguments.former,
        minutes=arguments.minutes,
        kills=arguments.kills,
    )
    out.mkdir(parents=True, exist_ok=True)
    combined: dict[str, Any] = {**circumstances(), "quick": quick, "benches": {}}
    for name in arguments.names or BENCHES:
        print(f"{name}:", file=sys.stderr)
        before = circumstances()  # the code may be edited while it is measured
        try:
            result = importlib.import_module(f"tests.load.{name}").measure(options).document()
        except (CannotCompile, CannotBuild) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        combined["benches"][name] = result
        one = {**before, "bench": name, "quick": quick, **result}
        # A look must not replace a measurement.
        report.write(out / f"{name}{'-quick' if quick else ''}.json", one)
    print(report.markdown(combined) + "\n")
    path = out / f"bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    report.write(path, combined)
    print(path)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Measures.")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES + ON_DEMAND)}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter, for a look")
    parser.add_argument("--out", type=Path, default=ROOT / ".local" / "bench")
    parser.add_argument("--calls", type=_numbers, metavar="N,N", help="relay, sip: loads to try")
    parser.add_argument("--former", default="", metavar="COMMIT", help="to compare with")
    parser.add_argument(
        "--minutes", type=float, default=0, metavar="N", help="relay_long: how long"
    )
    parser.add_argument(
        "--subjects", type=_words, metavar="NAME,NAME", help="relay, sip, deaths: which"
    )
    parser.add_argument("--kills", type=int, metavar="N", help="deaths: of each kind")
    parser.add_argument("--ringing", type=int, metavar="N", help="ringing: calls at once")
    parser.add_argument("--over", type=float, default=0, metavar="S", help="ringing: in which time")
    parser.add_argument("--carried", type=int, metavar="N", help="ringing: the gateway's limit")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="print a report, run nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {*BENCHES, *ON_DEMAND}:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    return arguments


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
