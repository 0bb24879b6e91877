"""`chamade-admin drain …`: refuse new calls, wait for those that are up, print their number."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click

from chalicelib.domain.call_transitions import CallState
from chalicelib.providers.twilio import TwilioAccount
from chalicelib.services.line import gateway_leases
from common.rotation import signing
from gateway.http.auth import basic
from operations.doctor.scene import http_of
from operations.doctor.web import ask
from operations.shell import FAILED, UNREACHABLE, USAGE, Failure, Session, verb

group = click.Group("drain", help="Let calls end before a restart.")
POLL_S = 1.0
_CALLS = re.compile(r"^chamade_relay_calls ([\d.]+)$", re.MULTILINE)

wait_option = click.option(
    "--wait", "wait_s", type=float, default=0.0, show_default=True,
    help="Seconds to wait for the calls' end; exit code 1 if some are left.",
)  # fmt: skip


@verb(group, "gateway")
@wait_option
@click.option("--end", is_flag=True, help="Take calls again.")
@click.option("--name", help="Which, where there are several: its GATEWAY_ID.")
def drain_gateway(session: Session, wait_s: float, end: bool, name: str | None) -> None:
    """Let the gateway take no new calls from now on: callers find it busy, dials are refused. Calls
    that are up go on; a restart would end them. If there are several, the others take its trunks
    over, and callers get through there.
    """
    accounts = session.installation.config.accounts
    account = next((each for each in accounts if each.name == "gateway"), None)
    if account is None:
        raise Failure("there is no gateway here", FAILED)
    login = basic(account.account_sid, signing(account.auth_token))
    url = _url(session, account, name)

    def live() -> int:
        return sum(_gateway("GET", f"{url}/status", login)["calls"].values())

    _gateway("DELETE" if end else "POST", f"{url}/drain", login)
    if end:
        session.done("the gateway takes calls again", draining=False, calls=live())
    else:
        _until_none(session, "the gateway", live, wait_s)


def _url(session: Session, account: TwilioAccount, name: str | None) -> str:
    """Return where the gateway is: the only one, or the one of that name."""
    if not session.installation.config.many_gateways:
        return account.api_url
    urls = {each.name: each.url for each in gateway_leases.present(session.deps)}
    if name not in urls:
        there = ", ".join(urls) or "none"
        raise Failure(f"say which gateway, with --name. Those that are there: {there}", USAGE)
    return urls[name]


@verb(group, "relay")
@wait_option
def drain_relay(session: Session, wait_s: float) -> None:
    """Show how many calls the relay carries. It drains when it is stopped (SIGTERM; in ECS, a new
    deployment), and hands over what is left after RELAY_DRAIN_S: no call is lost by it.
    """
    url = http_of(session.installation.config.relay_url)

    def live() -> int:
        answer = ask(f"{url}/metrics")
        found = _CALLS.search(answer.body)
        if found is None:
            raise Failure(f"the relay does not answer: {answer}", UNREACHABLE)
        return int(float(found[1]))

    _until_none(session, "the relay", live, wait_s)


@verb(group, "installation")
@wait_option
def drain_installation(session: Session, wait_s: float) -> None:
    """Show how many calls are up, wherever they are: before the table is restored, say."""

    def live() -> int:
        return sum(call.state is CallState.ACTIVE for call in session.deps.stores.calls.live())

    _until_none(session, "the installation", live, wait_s)


def _until_none(session: Session, what: str, live: Callable[[], int], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while (calls := live()) and time.monotonic() < deadline:
        session.say(f"{what} has {calls} calls")
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
    session.done(f"{what} has {calls} calls", calls=calls)
    if calls and wait_s:
        raise click.exceptions.Exit(FAILED)


def _gateway(method: str, url: str, login: str) -> dict[str, Any]:
    request = Request(url, method=method, headers={"Authorization": login})  # noqa: S310
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - the operator's own URL
            document: dict[str, Any] = json.load(answer)
            return document
    except HTTPError as error:
        raise Failure(f"the gateway answers {error.code}; see `doctor`", FAILED) from None
    except OSError as error:
        raise Failure(f"the gateway does not answer: {error}", UNREACHABLE) from None
