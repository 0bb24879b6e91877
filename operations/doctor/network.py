"""Checks of names and certificates, as clients see them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene, http_of

TIMEOUT_S = 5.0
RENEW_DAYS = 21
"""Days before the end of a certificate. Certificates are renewed a month before it, so with fewer
days left the renewal has failed."""


def names(scene: Scene) -> Iterator[Finding]:
    """Check that every name of ours resolves."""
    for host in dict.fromkeys(urlsplit(url).hostname or "" for url in scene.urls):
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            yield fail(
                f"dns {host}",
                str(error),
                f"Make a record for {host} in its zone, or correct the setting that names it.",
            )
            continue
        addresses = sorted({str(each[4][0]) for each in found})
        yield ok(f"dns {host}", ", ".join(addresses))


def certificates(scene: Scene) -> Iterator[Finding]:
    """Check that every TLS address of ours has a trusted certificate for its name that does not end
    soon."""
    for url in scene.urls:
        parts = urlsplit(http_of(url))
        name = f"certificate {parts.netloc}"
        if parts.scheme != "https":
            yield skipped(name, f"{urlsplit(url).scheme}:// has none")
            continue
        yield _certificate(name, parts.hostname or "", parts.port or 443)


def _certificate(name: str, host: str, port: int) -> Finding:
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as tls,
        ):
            shown = tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        expired = "expired" in error.verify_message
        return fail(
            name,
            error.verify_message,
            f"Renew the certificate of {host} and deploy it: in AWS look in Certificate Manager "
            "whether its validation record is still in the zone."
            if expired
            else f"Deploy a certificate for {host} that a public authority has signed.",
        )
    except OSError as error:
        return fail(name, f"no TLS: {error}", f"Is anything listening at {host}:{port}?")
    until = str(shown.get("notAfter", ""))
    days = int((ssl.cert_time_to_seconds(until) - time.time()) / 86400)
    if days < RENEW_DAYS:
        return warn(
            name,
            f"{days} days left ({until})",
            "It should have been renewed by now: in Certificate Manager look whether its "
            "validation record is still in the zone.",
        )
    return ok(name, f"{days} days left")
