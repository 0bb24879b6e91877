"""Runs a Dockerfile of ours without Docker: copies its files and its requirements, and nothing
else, into a folder of its own and starts its command there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.engine import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def command(self) -> list[str]:
        """The command of CMD and HEALTHCHECK, which ours write as JSON."""
        return json.loads(self.text[self.text.index("[") :])


def instructions(file: str) -> list[Instruction]:
    """A Dockerfile's instructions, without comments."""
    lines = [
        line for line in (ROOT / file).read_text().splitlines() if not line.lstrip().startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        Instruction(*line.split(None, 1)) for line in joined.splitlines() if line.strip()
    ]  # fmt: skip


@dataclass
class Built:
    """A container's files and Python, as folders here."""

    file: str
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"

    @property
    def python(self) -> Path:
        return self.root / "venv" / "bin" / "python"

    @property
    def home(self) -> Path:
        return self.root / self.workdir.lstrip("/")

    def run(self, command: list[str], env: dict[str, str], **how) -> subprocess.Popen[str]:
        """Start a command as the container would, with `env` beside the image's own."""
        assert command[0] == "python"
        return subprocess.Popen(
            [str(self.python), *command[1:]],
            cwd=self.home,
            env={"PATH": f"{self.python.parent}:/usr/sbin:/usr/bin", **self.environment, **env},
            text=True,
            **how,
        )


def built(file: str, root: Path) -> Built:
    """Follow COPY, ENV, WORKDIR and what RUN installs or compiles with Python."""
    made = Built(file, root)
    subprocess.run([sys.executable, "-m", "venv", made.root / "venv"], check=True)
    for each in instructions(file):
        match each.name:
            case "WORKDIR":
                made.workdir = each.text.strip()
            case "ENV":
                made.environment |= dict(word.split("=", 1) for word in each.words)
            case "COPY" if "--from=" not in each.text:
                _copy(made, each.words)
            case "RUN":
                _python_of(made, each.text)
    made.environment.pop("PATH", None)
    return made


def _copy(made: Built, words: list[str]) -> None:
    *sources, destination = words
    into = _place(made, destination)
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source,
                into,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
            continue
        target = into / Path(source).name if destination.endswith("/") else into
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, target)


def _place(made: Built, path: str) -> Path:
    base = made.root if path.startswith("/") else made.home
    return base / path.lstrip("/")


def _python_of(made: Built, text: str) -> None:
    for command in text.split("&&"):
        words = shlex.split(command)
        program = Path(words[0]).name
        if program == "pip":
            # Our files are what is named last: a list of requirements, or a package.
            words[-1] = str(_place(made, words[-1]))
            _checked(made, [str(made.python), "-m", "pip", *words[1:]])
        elif program == "python" and "compileall" in words:
            _checked(made, [str(made.python), *words[1:]])


def _checked(made: Built, command: list[str]) -> None:
    made.home.mkdir(parents=True, exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR") or name.startswith("PIP_")
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=made.home, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
