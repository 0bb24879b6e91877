"""Compiles the C programs of this folder, each time anew: it takes a second."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


class CannotCompile(Exception):
    """No compiler, or it complained; the message says which."""


def compile_c(name: str, folder: Path) -> Path:
    """`name.c`, compiled into `folder`."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise CannotCompile("the bench needs gcc (for the programs of tests/load that are in C)")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    command = [gcc, "-O2", "-std=gnu11", "-Wall", "-o", str(program), str(HERE / f"{name}.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCompile(f"gcc could not compile {name}.c:\n{done.stderr}")
    return program
