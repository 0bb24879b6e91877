"""A user agent on real sockets of this machine: UDP, TCP and TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.sip.agent import UserAgent
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import Ended, Established, Event, IncomingCall
from gateway.sip.network import connection as connection_module
from gateway.sip.network import endpoint as endpoint_module
from gateway.sip.network.connection import Tls
from gateway.sip.network.endpoint import Endpoint
from gateway.sip.syntax.headers import Address
from gateway.sip.transaction.flow import Flow
from tests.support.ports import free_port
from tests.unit.sip.network import Sound

HOST = "127.0.0.1"
OPTIONS = b"""OPTIONS sip:here SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKoptions;rport\r
From: <sip:a@b>;tag=1\r
To: <sip:c@d>\r
Call-ID: options\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""


class Phone:
    """An endpoint that answers calls and keeps all events."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.lost: asyncio.Queue[Flow] = asyncio.Queue()
        self.endpoint = Endpoint(UserAgent(), self._on_event, self.lost.put_nowait)

    def _on_event(self, event: Event) -> None:
        self.events.put_nowait(event)
        if isinstance(event, IncomingCall) and event.call.take(Sound("b"), self.endpoint.now):
            event.call.answer(self.endpoint.now)

    async def hear(self, kind: type[Any]) -> Any:
        """Wait for an event of a kind."""
        async with asyncio.timeout(5):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event

    def dial(self, flow: Flow) -> None:
        dial = Dial(
            target="sip:b@localhost",
            to=Address.parse("<sip:b@localhost>"),
            from_=Address.parse("<sip:a@localhost>"),
            flow=flow,
            user="a",
        )
        self.endpoint.agent.dial(dial, Sound("a"), self.endpoint.now)
        self.endpoint.flush()

    @property
    def port(self) -> int:
        return self.endpoint.local[1]


@pytest.fixture
async def phones() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that makes phones that listen."""
    made: list[Phone] = []

    async def phone(**more: Any) -> Phone:
        made.append(Phone())
        await made[-1].endpoint.start(HOST, free_port(), **more)
        return made[-1]

    yield phone
    for each in made:
        each.endpoint.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the files of a certificate for `localhost`, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    file, keys = folder / "here.pem", folder / "here.key"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    none = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    keys.write_bytes(key.private_bytes(pem, pkcs8, none))
    return file, keys


def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def call(alice: Phone, bob: Phone, flow: Flow) -> None:
    """Let Alice call Bob by that flow, and Bob hang up."""
    alice.dial(flow)
    await alice.hear(Established)
    up = await bob.hear(Established)
    up.call.hangup(bob.endpoint.now)
    bob.endpoint.flush()
    assert (await alice.hear(Ended)).status == (await bob.hear(Ended)).status == 200


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the far end closes the connection."""
    async with asyncio.timeout(5):
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            return True
    return True


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_call_goes_by_both_transports(phones: Any, transport: Any) -> None:
    alice, bob = await phones(), await phones()
    flow = await alice.endpoint.connect(transport, (HOST, bob.port))
    await call(alice, bob, flow)


async def test_a_call_goes_by_tls_if_the_certificate_is_for_the_name(
    phones: Any, certificate: tuple[Path, Path]
) -> None:
    alice, bob = await phones(), await phones(tls=server_tls(certificate))
    port = bob.endpoint._servers[1].sockets[0].getsockname()[1]
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    flow = await alice.endpoint.connect("TLS", (HOST, port), tls=Tls(trust, "localhost"))
    await call(alice, bob, flow)
    with pytest.raises(ssl.SSLCertVerificationError):
        await alice.endpoint.connect("TLS", (HOST, port), tls=Tls(trust, "carrier.example"))


async def test_a_handshake_that_stops_half_way_is_given_up(
    phones: Any, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "CONNECTED_WITHIN", 0.1)
    bob = await phones(tls=server_tls(certificate))
    port = bob.endpoint._servers[1].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(HOST, port)
    assert await closed(reader)
    writer.close()


async def test_a_ping_is_answered_by_a_pong(phones: Any) -> None:
    bob = await phones()
    reader, writer = await asyncio.open_connection(HOST, bob.port)
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readexactly(2) == b"\r\n"
    writer.close()


async def test_a_connection_of_ours_is_kept_alive_by_pings(
    phones: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_EVERY", 0.01)
    monkeypatch.setattr(connection_module, "SPEAKS_WITHIN", 0.0)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(8))
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        alice = await phones()
        await alice.endpoint.connect("TCP", server.sockets[0].getsockname())
        async with asyncio.timeout(5):
            assert await heard.get() == b"\r\n\r\n" * 2


async def test_a_connection_is_used_again_as_long_as_it_is_up(phones: Any) -> None:
    alice, bob = await phones(), await phones()
    first = await alice.endpoint.connect("TCP", (HOST, bob.port))
    assert await alice.endpoint.connect("TCP", (HOST, bob.port)) == first
    bob.endpoint.stop()
    async with asyncio.timeout(5):
        assert await alice.lost.get() == first
    with pytest.raises(ConnectionRefusedError):
        await alice.endpoint.connect("TCP", (HOST, bob.port))


async def test_a_request_fails_at_once_when_its_connection_breaks(phones: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        alice = await phones()
        flow = await alice.endpoint.connect("TCP", server.sockets[0].getsockname())
        alice.dial(flow)
        over = await alice.hear(Ended)
        assert (over.status, over.reason) == (503, "the connection broke")
        assert await alice.lost.get() == flow
        alice.dial(flow)  # nobody has made another yet
        assert (await alice.hear(Ended)).status == 503


async def test_a_connection_on_which_nothing_comes_is_dropped_and_a_working_one_not(
    phones: Any,
) -> None:
    alice, bob = await phones(), await phones()
    flow = await alice.endpoint.connect("TCP", (HOST, bob.port))
    begin = alice.endpoint.now
    await call(alice, bob, flow)
    alice.endpoint.drop_silent(flow, begin)
    assert await alice.endpoint.connect("TCP", (HOST, bob.port)) == flow
    alice.endpoint.drop_silent(flow, alice.endpoint.now + 1)
    async with asyncio.timeout(5):
        assert await alice.lost.get() == flow


async def test_a_peer_that_does_not_read_is_cut_off(phones: Any) -> None:
    alice = await phones()
    held: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        held.append(writer)

    async with await asyncio.start_server(serve, HOST, 0) as server:
        flow = await alice.endpoint.connect("TCP", server.sockets[0].getsockname())
        for _ in range(2_000):
            alice.endpoint.agent.context.outbox.send(flow, b"x" * 10_000)
            alice.endpoint.flush()
            if alice.endpoint.counts["peer does not read"]:
                break
        async with asyncio.timeout(5):
            assert await alice.lost.get() == flow
        for writer in held:
            writer.transport.abort()


async def test_strangers_cannot_take_all_connections(
    phones: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_CONNECTIONS", 4), ("MAX_INCOMING", 3), ("MAX_OF_ADDRESS", 2)):
        monkeypatch.setattr(endpoint_module, name, value)
    alice, bob = await phones(), await phones()
    opened = []
    for number, address in enumerate(["127.0.0.3", "127.0.0.3", "127.0.0.3", "127.0.0.4"]):
        reader, writer = await asyncio.open_connection(HOST, alice.port, local_addr=(address, 0))
        opened.append(writer)
        if number == 2:
            assert await closed(reader)  # the third of one address
        else:
            writer.write(OPTIONS)
            assert await reader.readline() == b"SIP/2.0 200 OK\r\n"
    reader, writer = await asyncio.open_connection(HOST, alice.port, local_addr=("127.0.0.5", 0))
    assert await closed(reader)  # strangers have their share
    await call(alice, bob, await alice.endpoint.connect("TCP", (HOST, bob.port)))
    carol = await phones()
    with pytest.raises(ConnectionError, match="closed as soon as it was up"):
        await alice.endpoint.connect("TCP", (HOST, carol.port))
    for each in [*opened, writer]:
        each.close()


async def test_a_stranger_who_says_nothing_is_cut_off(
    phones: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "SPEAKS_WITHIN", 0.05)
    bob = await phones()
    reader, writer = await asyncio.open_connection(HOST, bob.port)
    writer.write(OPTIONS[:40])
    assert await closed(reader)
    assert bob.endpoint.counts["peer is silent"] == 1
    writer.close()


async def test_a_stream_that_is_not_sip_is_closed(phones: Any) -> None:
    bob = await phones()
    reader, writer = await asyncio.open_connection(HOST, bob.port)
    writer.write(b"\x16\x03\x01" * 40_000)
    assert await closed(reader)
    writer.close()


async def test_datagrams_of_any_size_do_no_harm(phones: Any) -> None:
    alice, bob = await phones(), await phones()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for size in (0, 1, 4, 5, 65_507):
            sock.sendto(b"A" * size, (HOST, bob.port))
    flow = alice.endpoint.udp_flow((HOST, bob.port))
    alice.endpoint.agent.context.outbox.send(flow, b"A" * 70_000)
    alice.endpoint.flush()
    assert alice.endpoint.counts["datagram not delivered"] == 1
    await call(alice, bob, flow)


async def test_whoever_fails_at_an_event_does_not_stop_the_others(phones: Any) -> None:
    alice, bob = await phones(), await phones()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    handle, bob.endpoint._on_event = bob.endpoint._on_event, lambda event: 1 // 0
    flow = alice.endpoint.udp_flow((HOST, bob.port))
    alice.dial(flow)
    async with asyncio.timeout(5):
        while not failures:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    bob.endpoint._on_event = handle
    await call(alice, bob, flow)
    assert failures[0]["message"] == "IncomingCall was not handled"


async def test_stop_leaves_no_task_no_socket_and_no_timer(phones: Any) -> None:
    alice, bob = await phones(), await phones()
    alice.dial(await alice.endpoint.connect("TCP", (HOST, bob.port)))
    await bob.hear(Established)
    bob.endpoint.stop()
    async with asyncio.timeout(5):
        await alice.lost.get()
    assert bob.endpoint._alarm is None
    assert not bob.endpoint._connections
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            sock.bind((HOST, bob.port))


async def test_a_start_that_fails_leaves_no_socket() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        phone = Phone()
        with pytest.raises(OSError, match="in use"):
            await phone.endpoint.start(HOST, port)
        await asyncio.sleep(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((HOST, port))


async def test_any_port_is_one_that_is_free_by_udp_and_tcp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    listen, taken = loop.create_server, [OSError("address already in use")] * 2

    async def create_server(*args: Any, **options: Any) -> asyncio.Server:
        if taken:
            raise taken.pop()
        return await listen(*args, **options)

    monkeypatch.setattr(loop, "create_server", create_server)
    phone = Phone()
    await phone.endpoint.start(HOST, 0)
    assert not taken
    with socket.create_connection((HOST, phone.endpoint.local[1])):
        phone.endpoint.stop()


async def test_answers_to_double_crlfs_by_a_connection_are_not_taken_for_pings(
    phones: Callable[..., Any],
) -> None:
    """Two answers together look like a ping, and would be answered."""
    alice = await phones()
    all_of_it: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pings = await reader.readexactly(8)
        writer.write(b"\r\n\r\n")
        writer.write(OPTIONS)
        rest = await reader.readuntil(b"\r\n\r\n")  # the answer to OPTIONS is the next
        all_of_it.set_result(pings + rest)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        flow = await alice.endpoint.connect("TCP", server.sockets[0].getsockname()[:2])
        crlf = alice.endpoint.agent.keep_open(flow, 60.0, alice.endpoint.now)
        for _ in range(2):
            crlf.on_timer("again", alice.endpoint.now)
        alice.endpoint.flush()
        async with asyncio.timeout(5):
            sent = await all_of_it
    assert sent.startswith(b"\r\n\r\n\r\n\r\nSIP/2.0 200")
