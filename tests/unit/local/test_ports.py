"""Tests that a taken port is noticed before anything is started."""

from __future__ import annotations

import socket

import pytest

from local.layout import HOST, Layout
from local.processes import PortTaken, check_ports_free, free_port_base

KINDS = {"port": socket.SOCK_STREAM, "UDP port": socket.SOCK_DGRAM}


@pytest.mark.parametrize("part", ["sip", "sip-2"])
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
