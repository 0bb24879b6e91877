"""The rules of the two web firewalls: AWS's own, without those that would refuse honest requests,
and limits on the requests that an address may send.

Each firewall divides its requests into two kinds. `signed` is a pattern for paths whose requests
prove themselves by a signature or a password, and come from few addresses: they have a generous
limit. Every other request counts against the limit of an address, whatever the spelling of its
path: a path with a doubled slash, a capital letter or an escape never matches the pattern, so the
smaller limit applies to it. No request escapes both limits.
Sources: AWS WAF developer guide, rate-based rule statements (window of 60, 120, 300 or 600 s; at
least 10 requests; the count lags by seconds), request components (a path without transformation is
inspected as the client sent it). Whether a path that came in by the API's own name begins with the
stage when the firewall sees it, AWS does not document: so the pattern takes both forms, and the
stage's name begins no path of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

STAGE = "live"
"""The stage of the API. Not `api`: with it before them, the paths of webhooks would be those at
which owners manage their webhook endpoints."""


@dataclass(frozen=True)
class Rate:
    """A limit: at most `requests` of one address in any `window_s` seconds."""

    requests: int
    window_s: Literal[60, 120, 300, 600]

    @property
    def per_second(self) -> float:
        """Return the highest mean rate that stays below the limit."""
        return self.requests / self.window_s


@dataclass(frozen=True)
class Rules:
    """The rules of a firewall: AWS's rule groups, and the limits of an address."""

    managed: tuple[str, ...]
    signed: str
    """Regular expression of the paths to which `signed_rate` applies."""
    signed_rate: Rate
    rate: Rate
    """The limit of every path that `signed` does not match."""


API_REQUESTS = Rate(3000, 300)
"""An agent that polls and dials as fast as its own limits allow stays below this."""

API_SIGNED_REQUESTS = Rate(24_000, 60)
"""400 a second. Each ringing call polls once a second, so one of Twilio's addresses can have 400
ringing calls; Twilio has about six addresses, which together exceed the API's throttle. The gateway
has one address and carries fewer calls than that. A flood from one address is blocked within a
minute, and until then uses a fifth of the throttle of one method."""

AGENT_SOCKETS = Rate(6000, 300)
"""20 a second. Enough for all 1,200 calls of ten relays behind one customer's address translation,
if each opens its socket again every minute; or if all of them open it five times at once after a
relay was lost."""

MEDIA_SIGNED_REQUESTS = Rate(6000, 60)
"""100 a second: streams from one address of a provider, and Calls REST from one address of the
functions. That is ten times the calls that the relays can take a second."""

COUNTED: Mapping[str, str] = {
    "SizeRestrictions_BODY": "it refuses beyond 8 KiB; the application does beyond 256",
    "GenericRFI_BODY": "it refuses URLs whose host is an address: webhooks and agents may be there",
    "NoUserAgent_HEADER": "relays, and agents' plain programs, send none",
}
"""Rules of AWSManagedRulesCommonRuleSet that only count requests, each with the reason."""

API_RULES = Rules(
    managed=("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"),
    # Webhooks of providers; control requests of relays and of the gateway; reports of voice hosts.
    # Segments are of plain characters: no dots, no escapes, no empty segments.
    signed=rf"^(/{STAGE})?/(webhooks|media|gateway|voice)(/[A-Za-z0-9_-]+)+$",
    signed_rate=API_SIGNED_REQUESTS,
    rate=API_REQUESTS,
)

MEDIA_RULES = Rules(
    # The balancer's requests are handshakes, and our own functions' Calls REST.
    managed=("AWSManagedRulesKnownBadInputsRuleSet",),
    # Providers' streams; Calls REST and trunks, which need the gateway's password.
    signed=r"^/(media/provider/[A-Za-z0-9._~=-]+/?|"
    r"2010-04-01/Accounts/[A-Za-z0-9]+/Calls(/[A-Za-z0-9]+)?\.json|trunks(/[A-Za-z0-9_-]+)*)$",
    signed_rate=MEDIA_SIGNED_REQUESTS,
    rate=AGENT_SOCKETS,
)
