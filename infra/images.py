"""Container images, from the Dockerfiles. Nothing is built when templates are written, only when
they are deployed; what goes in is what the Dockerfile copies, and nothing else changes the image.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs

ROOT = Path(__file__).resolve().parent.parent

_COPIED = ("relay", "gateway", "wire", "chalicelib")


def image(part: str) -> ecs.ContainerImage:
    """The image of `relay` or `gateway`, whose context is the repository's root."""
    return ecs.ContainerImage.from_asset(
        str(ROOT),
        file=f"{part}/Dockerfile",
        platform=ecr_assets.Platform.LINUX_AMD64,
        exclude=["*", *(f"!{folder}" for folder in _COPIED), "**/__pycache__", "**/*.pyc"],
    )
