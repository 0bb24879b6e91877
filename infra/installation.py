"""The whole installation: four stacks, divided by how long their contents live.

`data` holds what must not be lost, `application` the functions and state machines, `media` the
relay and the gateway, `watch` the monitoring. All stacks but `data` can be made again from this
checkout.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk

from infra.application_stack import ApplicationStack
from infra.data_stack import DataStack
from infra.lint import check
from infra.media_stack import MediaStack
from infra.settings import Settings
from infra.watch_stack import WatchStack

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".local" / "synth"


def install(app: cdk.App, settings: Settings) -> list[cdk.Stack]:
    """Make all stacks; return them in the order in which they are deployed."""
    env = cdk.Environment(account=settings.account or None, region=settings.region or None)
    data = DataStack(
        app, settings.name("data"), settings=settings, env=env, termination_protection=True
    )
    application = ApplicationStack(
        app, settings.name("application"), settings=settings, data=data, env=env
    )
    media = MediaStack(app, settings.name("media"), settings=settings, data=data, env=env)
    watch = WatchStack(app, settings.name("watch"), settings=settings, env=env)
    for part in (application, media):
        watch.add_stack_dependency(part)  # `watch` refers to log groups and parameters by name
    cdk.Tags.of(app).add("application", "chamade")
    cdk.Tags.of(app).add("stage", settings.stage)
    check(app)
    return [data, application, media, watch]
