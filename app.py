"""Chalice entry: builds the app, registers blueprints and event functions. No logic."""

from __future__ import annotations

from typing import Any

from chalicelib import logs
from chalicelib.handlers import (
    account,
    api_keys,
    browser_call,
    call_facts,
    call_lines,
    calls,
    clips,
    dashboard,
    description,
    endpoints,
    events,
    gateway,
    media,
    numbers,
    provider_webhooks,
    recordings,
    rest,
    service,
    session,
    speech,
    tasks,
    trunks,
    voice_reports,
)
from chalicelib.handlers.mcp import endpoint as mcp
from chalicelib.http import ProblemChalice

logs.configure()

app = ProblemChalice(app_name="chamade", configure_logs=False)
app.api.binary_types = []

for group in (
    account, api_keys, calls, call_facts, call_lines, clips, recordings, speech, numbers, trunks,
    browser_call, events, endpoints, service, session,
):  # fmt: skip
    app.register_blueprint(rest.blueprint(group.operations))
for module in (
    dashboard, description, provider_webhooks, media, voice_reports, gateway, mcp,
):  # fmt: skip
    app.register_blueprint(module.routes)


@app.route("/healthz", methods=["GET"])
def healthz() -> dict[str, str]:
    """Answer that the process is alive. Says nothing about the parts behind it."""
    return {"status": "ok"}


@app.lambda_function(name="expire_ring")
def expire_ring(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Step Functions' task: the ring deadline of a call is over."""
    return tasks.expire_ring(event, context)


@app.lambda_function(name="sweep")
def sweep(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Put right what a restart or a lost message left behind."""
    return tasks.run_sweep(event, context)


@app.lambda_function(name="compose_recording")
def compose_recording(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Make one file of a recording that has ended."""
    return tasks.compose_recording(event, context)


@app.lambda_function(name="fan_out_events")
def fan_out_events(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of the table's stream: events that have just been written."""
    return tasks.fan_out_events(event, context)


@app.lambda_function(name="deliver_event")
def deliver_event(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Step Functions' task: one try of an event's delivery to a webhook endpoint."""
    return tasks.deliver_event(event, context)
