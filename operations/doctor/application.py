"""Checks of the application from outside: that it answers, and which signatures it accepts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

from twilio.request_validator import RequestValidator

from chalicelib.providers.twilio import TwilioAccount
from common import control
from common.rotation import accepted, signing
from operations.doctor.clock import compared
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask, post_signed


def answers(scene: Scene) -> Iterator[Finding]:
    """Check that the public URL leads to the application, and that its clock is right."""
    url = f"{scene.config.public_url}/healthz"
    answer = ask(url)
    if answer.status != 200 or '"ok"' not in answer.body.replace(" ", ""):
        yield fail(
            "api",
            f"{url}: {answer}",
            "CHAMADE_PUBLIC_URL must be the application's own address as providers call it, stage "
            "path included: correct it, or start the application.",
        )
        return
    yield ok("api", f"{url} answers in {answer.took_s * 1000:.0f} ms")
    yield compared("clock", "the API", answer)


def webhooks(scene: Scene) -> Iterator[Finding]:
    """Check that posts signed by a provider are taken, and unsigned ones are not. The posts are
    about a call that does not exist, so nothing of them is kept.
    """
    for account in scene.config.accounts:
        yield _webhook(scene, account)


def controls(scene: Scene) -> Iterator[Finding]:
    """Check that control requests signed with our secrets are accepted, and others are not."""
    report = {"relay": "doctor", "call_id": "call_doctor", "type": "watch"}
    base, secret = scene.config.public_url, scene.config.control_secret
    yield _control("CHAMADE_CONTROL_SECRET", secret, base, "/media/report", report)
    if secret := scene.config.gateway_control_secret:
        fetch = {"gateway": "doctor", "trunk_id": "trunk_doctor"}
        name = "CHAMADE_GATEWAY_CONTROL_SECRET"
        yield _control(name, secret, base, "/gateway/trunks/fetch", fetch)


def rotations(scene: Scene) -> Iterator[Finding]:
    """Check that secrets are long enough, that no two are the same, and that no rotation was left
    unfinished."""
    config = scene.config
    kept = {
        "CHAMADE_TOKEN_SECRET": config.token_secret,
        "CHAMADE_CONTROL_SECRET": config.control_secret,
        "CHAMADE_GATEWAY_CONTROL_SECRET": config.gateway_control_secret,
        "CHAMADE_VOICE_SECRET": config.voice_secret,
        **{f"CHAMADE_{a.name.upper()}_AUTH_TOKEN": a.auth_token for a in config.accounts},
    }
    values = {name: accepted(secret) for name, secret in kept.items() if secret}
    every = [value for each in values.values() for value in each]
    short = [name for name, each in values.items() if min(map(len, each)) < 16]
    several = [name for name, each in values.items() if len(each) > 1]
    if short or len(set(every)) < len(every):
        yield warn(
            "secrets",
            f"short: {', '.join(short) or 'none'}; used twice: {len(every) - len(set(every))}",
            "Give each setting a secret of its own, of 32 random characters or more, and rotate it "
            "(docs/operations.md).",
        )
    elif several:
        yield warn(
            "secrets",
            f"being rotated: {', '.join(several)}",
            "Take the former value away a day after the new one was put first everywhere.",
        )
    else:
        yield ok("secrets", f"{len(values)} of their own, none being rotated")


def _webhook(scene: Scene, account: TwilioAccount) -> Finding:
    name = f"webhook {account.name}"
    url = f"{scene.config.public_url}/webhooks/{account.name}/ringing"
    post = {"CallSid": f"CA{secrets.token_hex(16)}", "CallStatus": "ringing"}
    good = ask(url, form=post, headers=_signed(url, post, signing(account.auth_token)))
    forged = ask(url, form=post, headers=_signed(url, post, secrets.token_hex(16)))
    if good.status == 200 and forged.status == 403:
        return ok(name, "a signed post is believed, a forged one refused")
    if good.status == 403:
        return fail(
            name,
            "a post signed with our auth token is refused (403)",
            f"CHAMADE_{account.name.upper()}_AUTH_TOKEN or CHAMADE_PUBLIC_URL is not what the "
            "running application has: set the same everywhere, and deploy.",
        )
    if forged.status == 200:
        return fail(
            name,
            "a forged post is answered",
            "Something in front answers in the application's place: correct CHAMADE_PUBLIC_URL.",
        )
    return fail(name, f"signed: {good}; forged: {forged}", "See the check `api`, and its log.")


def _control(setting: str, secret: str, base: str, path: str, request: dict[str, str]) -> Finding:
    name = f"control {path.split('/')[1]}"
    good, forged = (
        post_signed(base, path, request, key) for key in (secret, secrets.token_hex(16))
    )
    # 404: the signature was accepted, and there is no such call or trunk.
    if good.status == 404 and forged.status == 401:
        return ok(name, "a signed request is believed, a forged one refused")
    if good.status == 401:
        return fail(
            name,
            "a control request signed with our secret is refused (401)",
            f"{setting} is not what the running application has, or a clock is more than "
            f"{control.TOLERANCE_S} s off: set the same secret everywhere, and deploy.",
        )
    return fail(name, f"signed: {good}; forged: {forged}", "See the check `api`, and its log.")


def _signed(url: str, form: Mapping[str, str], token: str) -> dict[str, str]:
    signature = RequestValidator(token).compute_signature(url, dict(form))
    return {"X-Twilio-Signature": str(signature)}
