"""All checks, in an order in which earlier findings explain later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chalicelib.config import BadConfig
from operations.doctor import (
    application,
    carrier,
    deployment,
    executions,
    gateway,
    machines,
    network,
    numbers,
    relay,
    table,
    voice,
)
from operations.doctor.finding import Finding, fail, ok
from operations.doctor.scene import Scene
from operations.installation import Installation

Check = Callable[[Scene], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    application.rotations,
    network.names,
    network.certificates,
    application.answers,
    application.webhooks,
    application.controls,
    relay.answers,
    voice.door,
    voice.hosts,
    gateway.answers,
    carrier.answers,
    table.as_made,
    machines.stream,
    machines.machines,
    executions.executions,
    numbers.vault,
    numbers.free,
    numbers.at_twilio,
    numbers.sip_domain,
)


def examine(installation: Installation, *, aws: bool = False) -> Iterator[Finding]:
    """Yield the findings of all checks, as they are found; with `aws`, first those of what was
    deployed. Never raises."""
    try:
        scene = Scene(installation, installation.config, installation.deps)
    except BadConfig as error:
        yield fail("configuration", str(error), "Correct the setting (docs/settings.md).")
        return
    yield ok("configuration", "every setting that is needed is there")
    for check in (deployment.deployment, *CHECKS) if aws else CHECKS:
        try:
            yield from check(scene)
        except Exception as error:
            # A check that fails to run must not prevent the others.
            yield fail(
                f"{check.__module__.rpartition('.')[2]} {check.__name__}",
                f"could not be looked at: {type(error).__name__}: {error}",
                "If the findings before it do not explain it, this is an error of the doctor's.",
            )
