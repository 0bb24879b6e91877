"""Tests of posts over TLS: certificates, handshakes, and servers that speak something else."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.providers.http_server import BODY, OK, Server, make_poster


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate of good.example, and who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "good.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("good.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return server, client


def post_over_tls(port, client, host, timeout_s=2.0):
    there = make_poster(
        resolver=lambda *_: ["127.0.0.1"], trust=lambda: client, timeout_s=timeout_s
    )
    return there.post(f"https://{host}:{port}/", {}, BODY)


def test_the_certificate_is_checked_against_the_name(serve, authority):
    context, client = authority
    server = serve(OK, context)
    assert post_over_tls(server.port, client, "good.example").status == 200
    wrong = post_over_tls(server.port, client, "other.example")
    assert wrong.error.startswith("tls_failed: Hostname mismatch")
    assert len(server.requests) == 1


def test_an_untrusted_certificate_is_refused(serve, authority):
    context, _ = authority
    server = serve(OK, context)
    there = make_poster(resolver=lambda *_: ["127.0.0.1"])
    got = there.post(f"https://good.example:{server.port}/", {}, BODY)
    assert got.error == "tls_failed: self-signed certificate"
    assert server.requests == []


def test_a_handshake_that_never_ends_is_cut_off(authority):
    _, client = authority
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        got = post_over_tls(silent.getsockname()[1], client, "good.example", timeout_s=0.4)
        assert got.error.startswith("timeout")
        assert time.monotonic() - began < 1


def test_a_server_without_tls_is_reported_as_such(serve, authority):
    _, client = authority

    class Plain(Server):
        def _one(self, connection):
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = Plain(None)
    assert post_over_tls(server.port, client, "good.example").error.startswith("tls_failed")
    server.close()
