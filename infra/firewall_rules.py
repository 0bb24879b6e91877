"""What the web firewalls refuse: AWS's own rules but for those that would refuse honest requests,
each reasoned, and a limit of requests an address.
"""

from __future__ import annotations

from collections.abc import Mapping

RATE_PER_FIVE_MINUTES = 3000
"""Of one address. An agent that polls and dials as fast as its limits allow stays below."""

SIGNED = ("/webhooks/", "/media/", "/gateway/")
"""Paths whose requests are signed, and come from few addresses: while fifty calls ring, Twilio
posts fifty times a second from half a dozen. The limit of an address is not for them."""

COUNTED: Mapping[str, str] = {
    "SizeRestrictions_BODY": "it refuses beyond 8 KiB; the application does beyond 256",
    "GenericRFI_BODY": "it refuses URLs whose host is an address: webhooks and agents may be there",
    "NoUserAgent_HEADER": "relays, and agents' plain programs, send none",
}
"""Rules of AWSManagedRulesCommonRuleSet that count and do not refuse, and why."""

API_RULES = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")
MEDIA_RULES = ("AWSManagedRulesKnownBadInputsRuleSet",)
"""The balancer's requests are handshakes, and Calls REST of our own."""
