"""The check of the carrier that a stack on one machine has."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.finding import Finding, fail, ok
from operations.doctor.scene import Scene
from operations.doctor.web import ask


def answers(scene: Scene) -> Iterator[Finding]:
    """Check that the carrier answers, if there is one."""
    url = scene.installation.carrier_url
    if url is None:
        return
    answer = ask(f"{url}/healthz")
    if answer.status == 200:
        yield ok("carrier", "it answers; trunks may connect")
    else:
        yield fail("carrier", f"{url}/healthz: {answer}", "Start the stack again: make run.")
