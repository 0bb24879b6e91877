"""Container images, from the Dockerfiles. Nothing is built when templates are written, only when
they are deployed. An image changes with what its Dockerfile copies and with nothing else: a relay
is not started anew because the application changed.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs

ROOT = Path(__file__).resolve().parent.parent


def image(part: str) -> ecs.ContainerImage:
    """The image of `relay` or `gateway`, whose context is the repository's root."""
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


def copied(file: str) -> list[str]:
    """What a Dockerfile copies out of the repository: files and folders."""
    sources = []
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            sources += [each.rstrip("/") for each in line.split()[1:-1]]
    return sources
