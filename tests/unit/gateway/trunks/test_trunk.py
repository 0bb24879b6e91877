"""Tests of a trunk's settings as the gateway reads them, and of the addresses of its host."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.addresses import forbidden, forbidden_network
from gateway.trunks import ssrf
from gateway.trunks.ssrf import allowed_target, system_resolver
from gateway.trunks.trunk import Authority, BadTrunkError, Trunk
from tests.unit.gateway.control_server import A, settings


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "203.0.113.9"},
        {"host": "2001:db8::1"},
        {"host": "a"},
        {"username": "0033-123.x_y+z!~*$%&=/"},
        {"password": "with space;<>' and é"},
        {"realm": "carrier.example:5070"},
        {"caller_id": "+33123456789"},
        {"something": "new"},
    ],
)
def test_valid_settings_are_accepted(changes):
    trunk = Trunk.from_json(settings(**changes))
    shown = {name: getattr(trunk, name) for name in settings()}
    assert shown == settings() | {k: v for k, v in changes.items() if k != "something"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trunk_id", "trunk_1"),
        ("trunk_id", A + "\n"),
        *(("host", value) for value in ("", None, 5, "a b", "a;b", "<a>", '"a"', "a\r\nb", "a@b")),
        *(("host", value) for value in ("-a", "a-", "a..b", "[::1]", "fe80::1%eth0", "127.1")),
        *(("port", value) for value in (0, 65536, "5060", True, 5060.0)),
        *(("transport", value) for value in ("UDP", "ws", None)),
        *(("username", value) for value in ("", None, "a b", "a;b", "a@b", "a<b", "a>b", 'a"b')),
        *(("username", value) for value in ("a\\b", "a\tb", "a\nb", "a'b", "a:b", "é", "x" * 65)),
        *(("password", value) for value in ("", None, 'a"b', "a\\b", "a\r\nb", "a\0b", "x" * 129)),
        ("password", "line\N{LINE SEPARATOR}separator"),
        *(("realm", value) for value in ("", 5, "a b", "a;b", "a>b", 'a"b', "a@b", "a\nb")),
        *(("caller_id", value) for value in ("", "0123", "+33 1", "+33123456789\n", 33)),
    ],
)
def test_characters_that_could_break_a_sip_header_are_refused(name, value):
    with pytest.raises(BadTrunkError, match=name) as failure:
        Trunk.from_json(settings(revision=9, **{name: value}))
    assert failure.value.revision == 9
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize("given", [None, [], {}, {"revision": "1"}, {"revision": True}])
def test_an_error_about_something_that_is_no_trunk_has_no_revision(given):
    with pytest.raises(BadTrunkError) as failure:
        Trunk.from_json(given)
    assert failure.value.revision is None


@given(st.dictionaries(st.sampled_from(sorted(settings())), st.none() | st.integers() | st.text()))
def test_arbitrary_settings_are_accepted_or_refused(changes):
    try:
        trunk = Trunk.from_json(settings() | changes)
    except BadTrunkError:
        return
    line = f"{trunk.host}{trunk.username}{trunk.realm or ''}"
    assert line.isprintable()
    assert not set(line) & set("<>;\"'\\ @")
    assert trunk.password.isprintable()
    assert not set(trunk.password) & set('"\\')


def test_the_password_is_in_no_representation():
    assert "hush" not in repr(Trunk.from_json(settings()))


BY_ADDRESS = {"auth": "ip", "username": None, "password": None, "networks": ["8.8.8.0/29"]}


def test_an_answer_without_the_newer_fields_has_their_defaults():
    trunk = Trunk.from_json(settings())
    assert (trunk.auth, trunk.networks, trunk.srtp) == ("register", (), "off")
    assert (trunk.outbound_proxy, trunk.user_phone) == (None, False)
    assert (trunk.caller_id_in, trunk.keep_alive) == ("auto", "none")
    assert trunk.registers
    assert trunk.hop == Authority("sip.carrier.example", 5060)
    assert Trunk.from_json(settings(transport="tls")).srtp == "offered"


def test_a_trunk_by_address_needs_no_account():
    trunk = Trunk.from_json(settings(**BY_ADDRESS | {"port": None}))
    assert not trunk.registers
    assert (trunk.username, trunk.port) == (None, None)
    assert [str(network) for network in trunk.networks] == ["8.8.8.0/29"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxy.example", Authority("proxy.example")),
        ("proxy.example:5070", Authority("proxy.example", 5070)),
        ("8.8.8.8:5060", Authority("8.8.8.8", 5060)),
        ("[2001:db8::1]", Authority("2001:db8::1")),
        ("[2001:db8::1]:5061", Authority("2001:db8::1", 5061)),
    ],
)
def test_an_outbound_proxy_is_a_host_and_perhaps_a_port(text, expected):
    assert Trunk.from_json(settings(outbound_proxy=text)).hop == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("auth", value) for value in ("none", 5, [])),
        *(("networks", value) for value in ("8.8.8.8", [5], ["x"], ["8.8.0.0/19"], ["0.0.0.0/0"])),
        ("networks", ["2001:db8::/47"]),
        ("networks", ["fe80::1%eth0/128"]),
        ("networks", [f"8.8.{n}.0/24" for n in range(33)]),
        *(("srtp", value) for value in ("sometimes", True)),
        *(("outbound_proxy", value) for value in ("", 5, "a b", "a;lr", "a:0", "a:65536", "::1")),
        *(("outbound_proxy", value) for value in ("[a]", "[::1", "a>b", "sip:a", "[fe80::1%e]")),
        *(("user_phone", value) for value in (1, "yes")),
        *(("caller_id_in", value) for value in ("to", 1)),
        *(("keep_alive", value) for value in ("ping", False)),
    ],
)
def test_unusable_values_of_the_newer_fields_are_refused(name, value):
    with pytest.raises(BadTrunkError, match=name):
        Trunk.from_json(settings(**BY_ADDRESS | {name: value}))


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"username": None}, "username"),
        ({"password": None}, "password"),
        ({"networks": ["8.8.8.8"]}, "networks"),
        (BY_ADDRESS | {"networks": []}, "networks"),
        (BY_ADDRESS | {"username": "alice"}, "password"),
        ({"auth": "both"}, "networks"),
        (BY_ADDRESS | {"auth": "both"}, "username"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(changes, missing):
    with pytest.raises(BadTrunkError, match=missing):
        Trunk.from_json(settings(**changes))


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/24", "127.0.0.1/32", "100.64.0.0/20", "192.0.0.0/20", "203.0.112.0/20", "fd00::/48",
     "198.18.0.0/20", "::1/128", "::ffff:8.8.8.0/120", "224.0.0.0/20", "64:ff9b::a00:0/104"],
)  # fmt: skip
def test_networks_with_private_addresses_are_forbidden(network):
    assert forbidden_network(network)


@pytest.mark.parametrize("network", ["8.8.0.0/20", "8.8.8.8/32", "2606:4700::/48"])
def test_networks_of_global_addresses_are_allowed(network):
    assert not forbidden_network(network)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1",
        "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::7f00:1", "", "nonsense", "sip.carrier.example",
    ],
)  # fmt: skip
def test_private_and_odd_addresses_are_forbidden(address):
    assert forbidden(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_global_addresses_are_allowed(address):
    assert not forbidden(address)


async def test_every_address_of_a_name_must_be_allowed():
    async def resolver(host, port):
        assert port == 5060
        return {"good": ["8.8.8.8", "2606:4700::1111"], "mixed": ["8.8.8.8", "10.0.0.1"]}[host]

    async def nobody(host, port):
        return []

    assert await allowed_target("good", 5060, resolver)
    assert not await allowed_target("mixed", 5060, resolver)
    assert not await allowed_target("127.0.0.1", 5060, nobody)
    assert await allowed_target("8.8.8.8", 5060, nobody)
    with pytest.raises(OSError, match="no address"):
        await allowed_target("good", 5060, nobody)


async def test_host_names_are_resolved_by_the_system():
    assert "127.0.0.1" in await system_resolver("localhost", 5060)
    with pytest.raises(OSError, match=r"."):
        await system_resolver("a" * 64 + ".example", 5060)


async def test_unanswered_look_ups_hold_a_bounded_number_of_threads(
    monkeypatch,
):
    """A thousand look-ups of a tenant's names; one at a time each, and forgotten when given up."""
    gate, looked_up = threading.Event(), []

    def silent(host, port, **_):
        looked_up.append(host)
        gate.wait(20)
        raise OSError("no answer")

    monkeypatch.setattr("socket.getaddrinfo", silent)
    hosts = [f"host{n}.example" for n in range(500)] * 2
    asking = [asyncio.create_task(system_resolver(host, 5060)) for host in hosts]
    await asyncio.sleep(0.2)
    try:
        assert len(set(looked_up)) == len(looked_up) == ssrf.LOOKUPS
        assert len(ssrf._lookups) == 500
        assert await asyncio.to_thread(lambda: 1) == 1
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert len(ssrf._lookups) == ssrf.LOOKUPS  # those that have a thread
    finally:
        gate.set()
    async with asyncio.timeout(5):
        while ssrf._lookups:  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.01)


async def test_a_look_ups_time_limit_starts_when_it_gets_a_thread(monkeypatch):
    """More names than threads, each of which takes longer than what is left for the last ones."""
    slow_s = 0.25

    def resolve(host, port, **_):
        time.sleep(slow_s)
        return [(0, 0, 0, "", ("192.0.2.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    monkeypatch.setattr(ssrf, "_RESOLVE_WITHIN", 2.5 * slow_s)
    hosts = [f"host{n}.example" for n in range(6 * ssrf.LOOKUPS)]
    found = await asyncio.gather(*(system_resolver(host, 5060) for host in hosts))
    assert found == [["192.0.2.1"]] * len(hosts)


async def test_a_look_up_that_gets_no_thread_raises(monkeypatch):
    gate = threading.Event()

    def silent(*_, **__):
        gate.wait(20)
        return []

    monkeypatch.setattr("socket.getaddrinfo", silent)
    monkeypatch.setattr(ssrf, "_THREAD_WITHIN", 0.1)
    monkeypatch.setattr(ssrf, "_RESOLVE_WITHIN", 0.1)
    hosts = [f"host{n}.example" for n in range(ssrf.LOOKUPS + 1)]
    try:
        with pytest.raises(OSError, match="not resolved in time"):
            await asyncio.gather(*(system_resolver(host, 5060) for host in hosts))
    finally:
        gate.set()
