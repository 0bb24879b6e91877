"""Tests that a taken port is noticed before anything is started."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from local.layout import HOST, Layout
from local.ports import SPAN, PortTaken, check_ports_free, claim_ports, free_port_base
from tests.support.engine import ROOT

KINDS = {"port": socket.SOCK_STREAM, "UDP port": socket.SOCK_DGRAM}


@pytest.mark.parametrize("part", ["sip", "carrier", "carrier's phones"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_taken_sip_port_is_named_with_a_remedy(tmp_path, part, kind):
    ports = Layout(free_port_base(), tmp_path).ports
    check_ports_free(ports)
    with socket.socket(type=KINDS[kind]) as taken:
        taken.bind((HOST, ports[part]))
        if kind == "port":
            taken.listen()
        with pytest.raises(PortTaken) as refused:
            check_ports_free(ports)
    assert str(refused.value).startswith(f"{kind} {ports[part]} ({part}) is taken")
    assert "CHAMADE_PORT_BASE=" in str(refused.value)


def test_udp_on_a_port_that_only_tcp_needs_is_no_trouble(tmp_path):
    ports = Layout(free_port_base(), tmp_path).ports
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, ports["api"]))
        check_ports_free(ports)


def test_a_stack_keeps_to_its_ports(tmp_path):
    layout = Layout(free_port_base(), tmp_path)
    assert max(layout.ports.values()) < layout.port_base + SPAN
    assert len(set(layout.ports.values())) == len(layout.ports)


def test_a_block_with_a_taken_port_is_not_claimed_and_can_be_claimed_once_it_is_free():
    first = free_port_base()  # a claim within it is nobody's but this test's
    bases = range(first + 1, first + 5, 4)
    with socket.socket() as taken:
        taken.bind((HOST, first + 2))
        with pytest.raises(PortTaken):
            claim_ports(bases)
    assert claim_ports(bases) == first + 1


def test_a_claimed_block_is_nobody_elses_until_its_process_ends():
    first = free_port_base()  # two claims within it are nobody's but this test's
    bases = range(first + 1, first + 9, 4)
    claiming = f"from local.ports import claim_ports; print(claim_ports({bases})); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", claiming], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        mine = claim_ports(bases)
        assert {theirs, mine} == set(bases)
        with pytest.raises(PortTaken, match=f"no free ports between {first + 1} and {first + 9}"):
            claim_ports(bases)
        other.communicate("\n", timeout=10)
    assert claim_ports(bases) == theirs
