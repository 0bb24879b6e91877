"""The guarded poster against receivers that are slow, lie, move, or are not where they seem."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.providers.outgoing_http import MAX_ANSWER, GuardedPoster
from tests.support.engine import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"type":"call.ringing"}'


class Server:
    """Accepts on loopback, reads a request, and has `answer(connection)` say the rest."""

    def __init__(self, answer, context=None):
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer, self._context = answer, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            got = b""
            while not got.endswith(BODY):
                more = connection.recv(65536)
                if not more:
                    return
                got += more
            self.requests.append(got)
            self._answer(connection)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def serve():
    servers = []

    def start(answer=OK, context=None):
        act = answer if callable(answer) else lambda connection: connection.sendall(answer)
        servers.append(Server(act, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def poster(**settings):
    return GuardedPoster(**{"private": True, "timeout_s": 2.0, **settings})


def post(server, path="/hook", **settings):
    url = f"http://127.0.0.1:{server.port}{path}"
    return poster(**settings).post(url, {"webhook-id": "evt_x"}, BODY)


def test_what_is_sent_and_what_comes_back(serve):
    server = serve(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nb\xc3\xa4!")
    answer = post(server, "/hook?x=1%20y")
    assert (answer.status, answer.text, answer.retry_after, answer.error) == (503, "bä!", "7", None)
    assert answer.latency_ms < 1000
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?x=1%20y HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json", "webhook-id: evt_x",
        f"Content-Length: {len(BODY)}", "Connection: close",
    } <= set(lines)  # fmt: skip
    assert body == BODY


def test_chunked_answers_and_those_without_a_length_are_read(serve):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    assert post(serve(chunked)).text == "ok"
    assert post(serve(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")).text == "until the end"
    assert post(serve(b"HTTP/1.1 204 No Content\r\n\r\n")).status == 204


def test_redirects_are_not_followed(serve):
    other = serve()
    where = f"http://127.0.0.1:{other.port}/".encode()
    for code in (301, 302, 303, 307, 308):
        moved = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (code, where)
        assert post(serve(moved)).status == code
    assert other.connections == 0


def test_no_proxy_of_the_environment_is_asked(serve, monkeypatch):
    proxy = serve()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(serve()).status == 200
    assert proxy.connections == 0


def test_of_an_endless_answer_the_beginning_is_read(serve):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    answer = post(serve(endless))
    assert (answer.status, answer.error, len(answer.text)) == (200, None, MAX_ANSWER)


def drip(beginning, drop):
    """An answer that never stops to come, a little at a time."""

    def answer(connection):
        connection.sendall(beginning)
        while True:
            time.sleep(0.05)
            connection.sendall(drop)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: time.sleep(5),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"x"),
        drip(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        drip(b"HTT", b"P"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "body", "headers", "status", "chunks", "continue"],
)
def test_one_deadline_covers_it_all_however_slowly_it_drips(serve, answer):
    began = time.monotonic()
    got = post(serve(answer), timeout_s=0.6)
    assert got.error == "timeout: no answer within 0.6 s"
    assert not got.taken
    assert 0.5 < time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "connection_lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", "bad_answer"),
    ],
)
def test_what_is_no_whole_answer_is_no_success(serve, answer, error):
    got = post(serve(answer))
    assert got.error.split(":")[0] == error
    assert not got.taken


def test_nobody_there():
    got = poster().post(f"http://127.0.0.1:{free_port()}/", {}, BODY)
    assert got.error == "connect_failed: Connection refused"


# Where a name leads.


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["::1"], ["fd00::1"],
        ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["0.0.0.0"], ["168.63.129.16"],
        ["100.64.0.1"], ["224.0.0.1"],
        ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"],
    ],
)  # fmt: skip
def test_a_name_that_leads_into_our_own_network_is_not_connected_to(serve, addresses):
    """One forbidden address is enough: the resolver's order is the stranger's."""
    server = serve()
    guarded = poster(private=False, resolver=lambda host, port: addresses)
    got = guarded.post(f"https://evil.example:{server.port}/", {}, BODY)
    assert got.error == "private_address: the host is not on the public Internet"
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "[::ffff:7f00:1]", "0"])
def test_other_spellings_of_loopback_are_seen_through(serve, host):
    server = serve()
    got = poster(private=False).post(f"https://{host}:{server.port}/", {}, BODY)
    assert got.error.split(":")[0] in ("private_address", "unresolvable")
    assert server.connections == 0


def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(monkeypatch):
    """DNS rebinding: public when it is looked at, private a moment later."""
    asked, connected = [], []

    def rebinding(host, port):
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    got = poster(private=False, resolver=rebinding).post("https://evil.example/", {}, BODY)
    assert (asked, connected) == (["evil.example"], [("93.184.216.34", 443)])
    assert got.error == "connect_failed: Connection refused"


def test_plain_http_goes_nowhere_unless_the_operator_allows_it(serve):
    server = serve()
    got = post(server, private=False)
    assert got.error == "plain_http: an https:// URL is needed"
    assert server.connections == 0


def test_a_name_server_that_does_not_answer_holds_nobody_up():
    held = threading.Event()
    slow = poster(timeout_s=0.3, resolver=lambda *_: held.wait(10) and [])
    began = time.monotonic()
    assert slow.post("https://slow.example/", {}, BODY).error.startswith("timeout")
    assert time.monotonic() - began < 1
    held.set()


def test_a_name_that_is_none_is_said_to_be_so():
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    got = poster(resolver=unknown).post("https://nobody.example/", {}, BODY)
    assert got.error == "unresolvable: Name or service not known"
    assert poster(resolver=lambda *_: []).post("https://x.example/", {}, BODY).error == (
        "unresolvable: no address"
    )


def test_the_next_address_is_tried_if_one_is_down(serve):
    server = serve()
    both = poster(resolver=lambda *_: ["127.0.0.2", "127.0.0.1"])
    assert both.post(f"http://two.example:{server.port}/", {}, BODY).status == 200
    assert b"Host: two.example" in server.requests[0]


# TLS.


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


def secured(port, client, host, timeout_s=2.0):
    there = poster(resolver=lambda *_: ["127.0.0.1"], trust=lambda: client, timeout_s=timeout_s)
    return there.post(f"https://{host}:{port}/", {}, BODY)


def test_the_certificate_is_that_of_the_name_whatever_its_address(serve, authority):
    context, client = authority
    server = serve(OK, context)
    assert secured(server.port, client, "good.example").status == 200
    wrong = secured(server.port, client, "other.example")
    assert wrong.error.startswith("tls_failed: Hostname mismatch")
    assert len(server.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(serve, authority):
    context, _ = authority
    server = serve(OK, context)
    there = poster(resolver=lambda *_: ["127.0.0.1"])
    got = there.post(f"https://good.example:{server.port}/", {}, BODY)
    assert got.error == "tls_failed: self-signed certificate"
    assert server.requests == []


def test_a_handshake_that_never_ends_is_cut_off(authority):
    _, client = authority
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        got = secured(silent.getsockname()[1], client, "good.example", timeout_s=0.4)
        assert got.error.startswith("timeout")
        assert time.monotonic() - began < 1


def test_what_speaks_no_tls_is_told_apart(serve, authority):
    _, client = authority

    class Plain(Server):
        def _one(self, connection):
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = Plain(None)
    assert secured(server.port, client, "good.example").error.startswith("tls_failed")
    server.close()
