"""Checks of what hosted voices need: voice hosts that trust us, and the relays' control door."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

from common import control
from common.rotation import signing
from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask, post_signed

_NOBODYS = "call_doctor"


def door(scene: Scene) -> Iterator[Finding]:
    """Check that relays take commands that are signed with our secret, and no others."""
    name, base = "relay door", scene.config.relay_door_url
    if not base:
        yield skipped(name, "there is none: CHAMADE_RELAY_DOOR_URL is not set")
        return
    path = f"/door/call/{_NOBODYS}"
    # The door takes an id once.
    good, forged = (
        post_signed(
            base,
            path,
            {"id": f"req_{secrets.token_hex(12)}", "method": "clear", "params": {}, "wait_s": 0},
            key,
        )
        for key in (signing(scene.config.control_secret), secrets.token_hex(16))
    )
    if good.status == 200 and "not_here" in good.body and forged.status == 401:
        yield ok(name, "a signed command is believed, a forged one refused")
    elif good.status == 401:
        yield fail(
            name,
            "a command signed with our secret is refused (401)",
            "Give the relay the CHAMADE_CONTROL_SECRET of the application (or look at its clock), "
            "and restart it.",
        )
    else:
        yield fail(
            name,
            f"signed: {good}; forged: {forged}",
            "Correct CHAMADE_RELAY_DOOR_URL, or set the relay's RELAY_DOOR_PORT: without a door "
            "nobody can speak in hosted calls.",
        )


def hosts(scene: Scene) -> Iterator[Finding]:
    """Check that each voice host answers, trusts us, and has free places."""
    if not scene.config.voice_urls:
        yield skipped("voice hosts", "there are none: CHAMADE_VOICE_URLS is not set")
        return
    for url in scene.config.voice_urls:
        yield _host(url, signing(scene.config.voice_secret))


def _host(url: str, secret: str) -> Finding:
    name = f"voice host {url}"
    health = ask(f"{url}/healthz")
    if health.status == 503:
        return warn(
            name,
            "it is draining: it takes no new calls",
            "Wait until its successor is up; if none comes, start one.",
        )
    answer, forged = (
        post_signed(url, "/v1/voices", {}, key) for key in (secret, secrets.token_hex(16))
    )
    if answer.status == 401:
        return fail(
            name,
            "a request signed with our secret is refused (401)",
            f"Give it the CHAMADE_VOICE_SECRET of the application (or look at its clock: "
            f"{control.TOLERANCE_S} s are the most), and restart it.",
        )
    if (health.status, answer.status, forged.status) != (200, 200, 401):
        return fail(
            name,
            f"{health}; signed: {answer}; forged: {forged}",
            "Start the voice host, or correct CHAMADE_VOICE_URLS: hosted calls are refused.",
        )
    told = json.loads(answer.body)
    places = f"{told['calls']} of {told['capacity']} places taken"
    if told["calls"] >= told["capacity"]:
        return warn(name, places, "Start another voice host, or raise VOICE_MAX_CALLS.")
    return ok(name, f"{len(told['voices'])} voices, {places}")
