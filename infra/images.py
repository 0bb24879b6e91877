"""Container images, from the Dockerfiles. They are built at deployment, not when templates are
written. An image changes only if a file changes that its Dockerfile copies, so a change of the
application does not restart the relay.
"""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs

ROOT = Path(__file__).resolve().parent.parent


def image(part: str) -> ecs.ContainerImage:
    """Return the image of a part with a Dockerfile, built with the repository's root as context."""
    file = f"{part}/Dockerfile"
    return ecs.ContainerImage.from_asset(
        str(ROOT),
        file=file,
        platform=ecr_assets.Platform.LINUX_AMD64,
        exclude=[
            "*",
            *(f"!{each}" for each in [file, *copied(file)]),
            "**/__pycache__",
            "**/*.pyc",
        ],
    )


def health_command(part: str) -> list[str]:
    """Return the command of the HEALTHCHECK in the Dockerfile of a part."""
    text = (ROOT / part / "Dockerfile").read_text().replace("\\\n", " ")
    (line,) = [each for each in text.splitlines() if each.startswith("HEALTHCHECK ")]
    command: list[str] = json.loads(line[line.index("[") :])
    return command


def copied(file: str) -> list[str]:
    """Return the files and folders that a Dockerfile copies out of the repository."""
    sources = []
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            sources += [each.rstrip("/") for each in line.split()[1:-1]]
    return sources
