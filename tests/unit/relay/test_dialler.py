"""The dialler: addresses that may be dialled, TLS, and the reasons of failures."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.domain.agent import MAX_WHY
from relay.config import Config
from relay.core.counters import Counters
from relay.core.interfaces import AgentAddress
from relay.network.calls import Calls, DialError
from relay.network.dialler import _REMEDIES, _RESOLVERS, Dialler, _dial_error
from relay.network.peer_leg import connect_peer
from tests.unit.relay.scene import Scene
from tests.unit.relay.twilio_agent import TwilioAgent, twilio_agent


class Names:
    """A resolver that returns each list of addresses once, and the last one from then on."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def dial(url: str, others: tuple[str, ...] = (), **options: Any) -> None:
    dialler = Dialler(**options)
    control: Any = SimpleNamespace(report_keys=None, fetch_clip=None)
    calls = Calls(control, Config("", ""), Counters(), dialler.dial, connect_peer)
    address = AgentAddress(url, {"X-A": "b"}, others=others)
    await dialler.dial(calls, "call_1", Scene().bridge, address)
    for leg in calls.legs:
        leg.close(1000, "")


async def refused(url: str, **options: Any) -> DialError:
    with pytest.raises(DialError) as unreached:
        await dial(url, **options)
    assert "secret" not in str(unreached.value)
    return unreached.value


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0.0.0.0",
     "[fe80::1]", "[64:ff9b::7f00:1]", "127.1", "2130706433", "0x7f000001", "localhost"],
)  # fmt: skip
async def test_private_addresses_are_refused_for_good_in_every_notation(host: str) -> None:
    async with twilio_agent() as agent:
        port = agent.url.split(":")[2].split("/")[0]
        why = await refused(f"ws://{host}:{port}/?key=secret")
        assert (why.code, why.final) == ("private", True)
        assert agent.streams.empty()


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"]])
async def test_a_name_with_any_private_address_is_refused(addresses: list[str]) -> None:
    why = await refused("ws://agent.example/", resolve=Names(addresses))
    assert (why.code, why.final) == ("private", True)


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would be a private address."""
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    tried = []

    async def connect(_: Any, __: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("no route")

    loop = type(asyncio.get_running_loop())
    monkeypatch.setattr(loop, "sock_connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("resolved again"))
    assert (await refused("ws://agent.example:81/", resolve=names)).code == "connection"
    assert names.asked == [("agent.example", 81)]
    assert tried == [("93.184.215.14", 81)]


async def test_the_handshake_carries_the_name() -> None:
    async with twilio_agent() as agent:
        port = agent.url.split(":")[2].split("/")[0]
        url = f"ws://user:secret@agent.example:{port}/voice"
        await dial(url, allow_private=True, resolve=Names(["127.0.0.1"]))
        stream = await agent.stream()
        assert (stream.headers["Host"], stream.headers["X-A"]) == (f"agent.example:{port}", "b")


async def test_the_next_address_is_tried_after_a_failure() -> None:
    async with twilio_agent() as agent:
        names = Names(["::1", "127.0.0.1"])
        port = agent.url.split(":")[2].split("/")[0]
        await dial(f"ws://agent.example:{port}/", allow_private=True, resolve=names)
        await agent.stream()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context for agent.example, and a client context that trusts it."""
    import subprocess

    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=agent.example",
         "-addext", "subjectAltName=DNS:agent.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


async def tls_url(agent: TwilioAgent, name: str) -> str:
    return agent.url.replace("127.0.0.1", name)


async def test_tls_is_verified_against_the_name(certificates) -> None:
    server, trust = certificates
    here = Names(["127.0.0.1"])
    async with twilio_agent(server) as agent:
        good = await tls_url(agent, "agent.example")
        await dial(good, allow_private=True, resolve=here, trust=trust)
        await agent.stream()
        other = await tls_url(agent, "other.example")
        why = await refused(other, allow_private=True, resolve=here, trust=trust)
        assert (why.code, "hostname" in str(why).lower()) == ("tls", True)
        unknown = await refused(good, allow_private=True, resolve=here)
        assert (unknown.code, unknown.final) == ("tls", False)


def test_a_reason_of_openssls_is_quoted_without_its_full_stop() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate is not valid for 'other.example'."
    told = str(_dial_error(error))
    assert told.startswith("TLS failed (certificate is not valid for 'other.example'). Its ")


def test_the_reason_fits_into_a_report_however_long_the_host_name_is() -> None:
    mismatch = ssl.SSLCertVerificationError(1, "certificate verify failed")
    host = ".".join(["a" * 60] * 4)
    mismatch.verify_message = f"Hostname mismatch, certificate is not valid for '{host}'."
    why = str(_dial_error(mismatch))
    assert why.startswith("TLS failed (Hostname mismatch, certificate is not valid for…). ")
    assert why.endswith(_REMEDIES["tls"])
    assert len(why) <= MAX_WHY


async def test_a_refused_connection_and_an_unknown_name_have_codes_of_their_own() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert (await refused(f"ws://127.0.0.1:{port}/", allow_private=True)).code == "refused"
    assert (await refused("ws://agent.example/", resolve=Names([]))).code == "name"


async def test_an_agent_that_never_answers_is_given_up_and_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.network.dialler.WITHIN_S", 0.2)
    asked, gone = asyncio.Event(), asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        while await reader.read(4096):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        why = await refused(f"ws://127.0.0.1:{port}/", allow_private=True)
        assert (why.code, asked.is_set()) == ("timeout", True)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_host_that_never_answers_is_given_up_sooner_if_there_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.network.dialler.WITHIN_IF_OTHERS_S", 0.2)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        why = await refused(url, others=("ws://127.0.0.1/",), allow_private=True)
        assert str(why).startswith("it did not answer within 0.2 s")


async def test_an_endless_answer_is_given_up() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nX-Long: " + b"x" * (1 << 20))
        await writer.drain()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        why = await refused(f"ws://127.0.0.1:{port}/", allow_private=True)
        assert why.code in ("handshake", "connection", "timeout")


async def test_a_bounded_number_of_names_is_resolved_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.network.dialler.WITHIN_S", 1.0)
    answer, full = threading.Event(), asyncio.Event()
    loop, asked = asyncio.get_running_loop(), []

    def slow(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        if len(asked) == _RESOLVERS:
            loop.call_soon_threadsafe(full.set)
        answer.wait(5)
        return []

    dialler = Dialler(resolve=slow)
    control: Any = SimpleNamespace(report_keys=None, fetch_clip=None)
    calls = Calls(control, Config("", ""), Counters(), dialler.dial, connect_peer)
    dials = [
        dialler.dial(calls, "call_1", Scene().bridge, AgentAddress(f"ws://agent-{n}.example/", {}))
        for n in range(3 * _RESOLVERS)
    ]
    dialling = asyncio.gather(*dials, return_exceptions=True)
    await asyncio.wait_for(full.wait(), 5)
    whys = await dialling
    assert len(asked) == _RESOLVERS
    answer.set()
    assert {why.code for why in whys if isinstance(why, DialError)} == {"timeout"}
