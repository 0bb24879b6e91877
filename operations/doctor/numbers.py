"""Checks of the pool of numbers, of their settings at Twilio, and of the keys that seal secrets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from chalicelib.providers.twilio import TwilioAccount
from chalicelib.services.line import number_pool
from chalicelib.store.vault import BadSeal, VaultUnavailable
from common.rotation import signing
from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene
from operations.doctor.web import ask

_MAX_PAGES = 50
_NAMED = 5
"""Numbers that a finding names at most."""


def free(scene: Scene) -> Iterator[Finding]:
    """Check that each country still has a free number."""
    counts = number_pool.counts(scene.deps)
    if not counts:
        yield warn("pool", "it is empty", "`chamade-admin number add` puts numbers into it.")
    for country, (held, left) in counts.items():
        text = f"{left} free, {held} held"
        if left:
            yield ok(f"pool {country}", text)
        else:
            yield warn(
                f"pool {country}",
                text,
                f"Buy numbers of {country} and add them: `chamade-admin number add`.",
            )


def at_twilio(scene: Scene) -> Iterator[Finding]:
    """Check that Twilio announces to us the calls of its numbers in the pool."""
    account = scene.twilio
    if account is None:
        yield skipped("twilio numbers", "CHAMADE_TWILIO_ACCOUNT_SID is not set")
        return
    try:
        owned = {each["phone_number"]: each for each in _listed(account, "IncomingPhoneNumbers")}
    except LookupError as error:
        yield fail(
            "twilio numbers",
            str(error),
            "CHAMADE_TWILIO_ACCOUNT_SID and _AUTH_TOKEN must be the account's own: compare them "
            "with Twilio's console.",
        )
        return
    base = f"{scene.config.public_url}/webhooks/twilio"
    wanted = {"voice_url": f"{base}/voice", "status_callback": f"{base}/status"}
    ours = [line.e164 for line in number_pool.list_all(scene.deps) if line.provider == "twilio"]
    lost = [e164 for e164 in ours if e164 not in owned]
    if lost:
        yield fail(
            "twilio numbers",
            f"not the account's (any more): {', '.join(lost[:_NAMED])}",
            "Buy them back, or take them out of the pool: `chamade-admin number remove`.",
        )
    for name, url in wanted.items():
        astray = [e for e in ours if e in owned and owned[e].get(name) != url]
        if astray:
            yield fail(
                f"twilio {name}",
                f"{astray[0]} has {owned[astray[0]].get(name) or 'none'!r} ({len(astray)} numbers)",
                f"Set the {name} of {', '.join(astray[:_NAMED])} to {url} in Twilio's console.",
            )
        else:
            yield ok(f"twilio {name}", f"{len(ours) - len(lost)} numbers, all {url}")


def sip_domain(scene: Scene) -> Iterator[Finding]:
    """Check that Twilio's SIP domain, to which owners' trunks send their calls, announces them to
    us."""
    account, host = scene.twilio, scene.config.twilio_sip_domain
    name = "twilio sip domain"
    if account is None or not host:
        yield skipped(name, "CHAMADE_TWILIO_SIP_DOMAIN is not set")
        return
    found = {each["domain_name"]: each for each in _listed(account, "SIP/Domains")}
    url = f"{scene.config.public_url}/webhooks/twilio/voice"
    if host not in found:
        yield fail(
            name, f"the account has no {host}", "Make it in Twilio's console, or correct it."
        )
    elif found[host].get("voice_url") != url:
        yield fail(
            name,
            f"{host} has {found[host].get('voice_url') or 'none'!r}",
            f"Set its voice_url to {url}, and its status callback beside it.",
        )
    else:
        yield ok(name, f"{host} announces to {url}")


def vault(scene: Scene) -> Iterator[Finding]:
    """Check that the keys that seal trunks' passwords and webhooks' secrets can be used."""
    sealer = scene.deps.vault
    if sealer is None:
        yield warn(
            "vault",
            "none: no trunk can be connected, no webhook made",
            "Set CHAMADE_KMS_KEY_ID, or CHAMADE_KEY_FILE (docs/settings.md).",
        )
        return
    word, context = secrets.token_hex(4), {"of": "doctor"}
    try:
        sealer.open(sealer.seal(word, context), context)
    except (VaultUnavailable, BadSeal) as error:
        yield fail(
            "vault",
            str(error),
            "Bring the key file back, or allow the key in KMS (kms:GenerateDataKey, kms:Decrypt).",
        )
        return
    yield ok("vault", "seals and opens")


def _listed(account: TwilioAccount, what: str) -> Iterator[dict[str, Any]]:
    """Yield the account's resources of a kind from Twilio's REST. Raises LookupError with Twilio's
    answer.
    """
    login = (account.account_sid, signing(account.auth_token))
    path = f"/2010-04-01/Accounts/{account.account_sid}/{what}.json?PageSize=200"
    for _ in range(_MAX_PAGES):
        answer = ask(account.api_url + path, login=login)
        if answer.status != 200:
            raise LookupError(f"{account.api_url}: {answer}")
        page = json.loads(answer.body)
        yield from page["domains" if what == "SIP/Domains" else "incoming_phone_numbers"]
        path = page.get("next_page_uri")
        if not path:
            return
