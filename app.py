"""Chalice entry: builds the app, registers blueprints and event functions. No logic."""

from __future__ import annotations

from typing import Any

from chalicelib import logs
from chalicelib.handlers import (
    calls,
    events,
    gateway,
    keys,
    media,
    numbers,
    tasks,
    trunks,
    webhooks,
)
from chalicelib.http import ProblemChalice

logs.configure()

app = ProblemChalice(app_name="chamade", configure_logs=False)
app.api.binary_types = []

for module in (calls, trunks, events, keys, webhooks, media, gateway):
    app.register_blueprint(module.routes)
for group in (numbers,):
    app.register_blueprint(group.operations.blueprint)


@app.route("/healthz", methods=["GET"])
def healthz() -> dict[str, str]:
    """Alive. Says nothing of what lies behind."""
    return {"status": "ok"}


@app.lambda_function(name="expire_ring")
def expire_ring(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Step Functions' task: the ring deadline of a call is over."""
    return tasks.expire_ring(event, context)


@app.lambda_function(name="sweep")
def sweep(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Puts right what a restart or a lost message left behind."""
    return tasks.sweep_calls(event, context)
