"""Attacks in a process of their own: `python -m tests.neighbours.attacker STACK.json NAME …`.

The process has the lowest priority. Real attackers bring their own computers, so the measurement is
about the stack's resources that they take, not about the processor that they share with it here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.neighbours import greedy, strangers
from tests.neighbours.strangers import Attack
from tests.support.engine import ROOT

ATTACKS: dict[str, Attack] = {**strangers.ATTACKS, **greedy.ATTACKS}

_NICE = 19


@contextmanager
def attacking(stack: dict[str, Any], folder: Path, *names: str) -> Iterator[None]:
    """Attack the stack meanwhile, with the account and number that `stack` holds."""
    stack_file = folder / f"{'-'.join(names)[:60]}.json"
    stack_file.write_text(json.dumps(stack))
    command = [sys.executable, "-m", "tests.neighbours.attacker", str(stack_file), *names]
    with stack_file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None, (
            f"the attack ended: {stack_file.with_suffix('.log').read_text()}"
        )
    finally:
        process.kill()
        process.wait()


async def _attack(stack: dict[str, Any], names: list[str]) -> None:
    await asyncio.gather(*(ATTACKS[name](stack) for name in names))


def main() -> None:
    """Attack until killed."""
    os.nice(_NICE)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stack, names = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2:]
    asyncio.run(_attack(stack, names))


if __name__ == "__main__":
    main()
