"""Checks of our gateway: that it answers, that it and the application trust each other, and the
state of its trunks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chalicelib.domain.trunk import USABLE, Trunk, TrunkStatus
from chalicelib.providers.twilio import TwilioAccount
from chalicelib.services.line import gateway_leases, gateway_trunks
from common.rotation import signing
from operations.doctor.clock import compared
from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask


def answers(scene: Scene) -> Iterator[Finding]:
    """Check that the gateway is healthy, takes our credentials, reaches the application, and posts
    to it."""
    account = scene.gateway
    if account is None:
        yield skipped("gateway", "there is none: CHAMADE_GATEWAY_ACCOUNT_SID is not set")
        return
    lists: list[list[dict[str, Any]]] = []
    if scene.config.many_gateways:
        for lease in gateway_leases.present(scene.deps):
            at = replace(account, api_url=lease.url)
            for finding in _one(scene, at, lists):
                yield replace(finding, name=f"{finding.name} ({lease.name})")
        yield _several(scene)
    else:
        yield from _one(scene, account, lists)
    if lists:
        yield from _trunks(scene, [state for each in lists for state in each])


def _several(scene: Scene) -> Finding:
    leases = gateway_leases.present(scene.deps)
    open_ones = [each.name for each in leases if each.draining is None]
    name, seen = "gateways", ", ".join(each.name for each in leases) or "none holds a lease"
    if not open_ones:
        return fail(
            name,
            seen if not leases else f"{seen}: all of them drain",
            "Start a gateway with GATEWAY_API_URL and a GATEWAY_ID of its own, or end a drain: "
            "`chamade-admin drain gateway --name … --end`.",
        )
    if len(open_ones) == 1:
        return warn(
            name,
            f"only {open_ones[0]} takes calls",
            "If it ends, nobody takes its trunks over: start another one.",
        )
    return ok(name, seen)


def _one(
    scene: Scene, account: TwilioAccount, lists: list[list[dict[str, Any]]]
) -> Iterator[Finding]:
    """Check one gateway; add the states of its trunks to `lists`, if it answers."""
    answer = ask(f"{account.api_url}/healthz")
    if answer.status == 503 or '"draining"' in answer.body:
        yield warn(
            "gateway",
            "it takes no new calls",
            "It is stopping, or was drained: `chamade-admin drain gateway --end` opens it again.",
        )
    elif answer.status != 200:
        yield fail(
            "gateway",
            f"{account.api_url}/healthz: {answer}",
            "Start the gateway, or correct CHAMADE_GATEWAY_API_URL.",
        )
        return
    else:
        yield ok("gateway", "healthy")
    yield compared("gateway clock", "the gateway", answer)
    login = (account.account_sid, signing(account.auth_token))
    status_answer = ask(f"{account.api_url}/status", login=login)
    if status_answer.status != 200:
        yield fail(
            "gateway login",
            f"our SID and auth token: {status_answer}",
            "CHAMADE_GATEWAY_AUTH_TOKEN differs from the gateway's GATEWAY_AUTH_TOKEN: set the "
            "same in both, and restart what had the wrong one.",
        )
        return
    yield ok("gateway login", "our SID and auth token are taken")
    status = json.loads(status_answer.body)
    yield _application(status)
    yield _voice_url(scene, status)
    listed = ask(f"{account.api_url}/trunks", login=login)
    lists.append(json.loads(listed.body)["trunks"] if listed.status == 200 else [])


def _application(status: dict[str, Any]) -> Finding:
    name, application = "gateway control", status["application"]
    if application is None:
        return warn(
            name,
            "it knows no application: it has no trunks",
            "Set GATEWAY_CONTROL_URL and GATEWAY_CONTROL_SECRET, if there are to be any.",
        )
    if application["answers"]:
        return ok(name, "it gets its trunks from the application")
    if application["code"] == "bad_signature":
        return fail(
            name,
            "the application does not believe it (bad_signature)",
            "GATEWAY_CONTROL_SECRET differs from the application's CHAMADE_GATEWAY_CONTROL_SECRET, "
            "or a clock is off: set the same in both, and restart the gateway.",
        )
    return fail(
        name,
        f"the application does not answer it ({application['code']})",
        "Correct GATEWAY_CONTROL_URL, or see the check `api`.",
    )


def _voice_url(scene: Scene, status: dict[str, Any]) -> Finding:
    wanted = f"{scene.config.public_url}/webhooks/gateway/voice"
    if status["voice_url"] == wanted:
        return ok("gateway webhooks", wanted)
    return fail(
        "gateway webhooks",
        f"calls are announced to {status['voice_url']}",
        f"Set GATEWAY_VOICE_URL to {wanted}, GATEWAY_STATUS_URL beside it, and restart it.",
    )


def _trunks(scene: Scene, states: list[dict[str, Any]]) -> Iterator[Finding]:
    found = list(gateway_trunks.all_trunks(scene.deps))
    known = {each["trunk_id"]: each for each in states}
    missing = [trunk.trunk_id for trunk in found if trunk.trunk_id not in known]
    if missing:
        yield warn(
            "gateway trunks",
            f"not at the gateway: {', '.join(missing[:5])}",
            "It fetches all of them once a minute; if it stays so, see `gateway control`.",
        )
    else:
        yield ok("gateway trunks", f"{len(found)}, all known to the gateway")
    for trunk in found:
        if trunk.trunk_id in known:
            yield _trunk(trunk, known[trunk.trunk_id])


def _trunk(trunk: Trunk, state: dict[str, Any]) -> Finding:
    name = f"trunk {trunk.trunk_id}"
    account = f"{trunk.username}@" if trunk.username else ""
    what = f"{account}{trunk.host}: {state['status']}"
    if state["status"] in USABLE:
        return ok(name, what)
    code = f" (SIP {state['sip_code']})" if state["sip_code"] else ""
    if state["status"] == "failed" or trunk.status is TrunkStatus.FAILED:
        remedy = state["detail"] or trunk.detail or ""
        path = f"/api/trunks/{trunk.name}"
        return fail(name, f"{what}{code}", f"{remedy} Its owner sets it with PUT {path}.")
    return warn(name, f"{what}{code}", state["detail"] or "It has a minute to register.")
