"""`python -m tools.cold_start FOLDER`: measure a cold start of a package that `tools.package`
wrote: the processor time of the imports, each in a process that has nothing else on its path.

The package is measured first without bytecode, as Chalice packages it, then compiled. Processor
time is used since other work on the machine does not change it much.
"""

from __future__ import annotations

import compileall
import py_compile
import subprocess
import sys
from pathlib import Path
from statistics import median

TIMES = 3

STEPS = {
    "`import app`, at every cold start": "import app",
    "and AWS's clients, at the first request": (
        "import app, boto3\nfor name in ('dynamodb', 'stepfunctions'):"
        "\n boto3.client(name, region_name='us-east-1')"
    ),
    "and Twilio's REST client, at the first accept": (
        "import app\nfrom twilio.rest import Client\nClient('AC', 'token').calls"
    ),
    "and libphonenumber, at the first dial": (
        "import app, phonenumbers\nphonenumbers.parse('+33199001234')"
    ),
    "and the MCP SDK, at the first `POST /mcp`": (
        "import app, chalicelib.handlers.mcp.server, chalicelib.handlers.mcp.exchange"
    ),
}
"""Step -> the program that does it. Each program runs with `app`, without the other steps."""


def milliseconds(folder: Path, program: str) -> float:
    """Return the processor time of one run, without the start of Python itself."""
    timed = (
        f"import sys, time\nsys.path.insert(0, {str(folder)!r})\nbegan = time.process_time()\n"
        f"{program}\nprint(time.process_time() - began)"
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", timed]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout.splitlines()[-1]) * 1000


def measured(folder: Path) -> dict[str, list[float]]:
    """Return the milliseconds of each step's runs, sorted."""
    return {
        step: sorted(milliseconds(folder, program) for _ in range(TIMES))
        for step, program in STEPS.items()
    }


def main() -> None:
    """Print the table, and leave the folder compiled."""
    folder = Path(sys.argv[1]).resolve()
    source = measured(folder)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, invalidation_mode=unchecked)
    compiled = measured(folder)
    print("| ms of a processor | source, least | median | compiled, least | median |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for step in STEPS:
        both = [each[step] for each in (source, compiled)]
        cells = [f"{value:.0f}" for each in both for value in (each[0], median(each))]
        print(f"| {step} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
