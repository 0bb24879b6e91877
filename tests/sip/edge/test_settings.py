"""Tests of the edge's settings: a wrong one is named."""

import re
import shutil
import subprocess
import sys

import pytest

from gateway.edge.container import tell_the_gateway
from gateway.edge.settings import from_env
from tests.sip.edge_talkers import PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EDGE_PUBLIC_IP": ""}, "EDGE_PUBLIC_IP is not set"),
        ({"EDGE_PUBLIC_IP": "sip.example"}, "EDGE_PUBLIC_IP must be an IPv4 address"),
        ({"EDGE_BIND_IP": "0.0.0.0"}, "EDGE_BIND_IP"),
        ({"EDGE_SIP_PORT": "0"}, "EDGE_SIP_PORT must be a number from 1"),
        ({"EDGE_TLS_PORT": "5060"}, "must differ"),
        ({"EDGE_TLS_CERT": "/etc/hostname"}, "go together"),
        ({"EDGE_TLS_CERT": "/nowhere", "EDGE_TLS_KEY": "/nowhere"}, "EDGE_TLS_CERT"),
        ({"EDGE_CHILDREN": "192.0.2.1:5070"}, "EDGE_CHILDREN must be on loopback"),
        ({"EDGE_CHILDREN": "127.0.0.1"}, "EDGE_CHILDREN must be host:port"),
        ({"EDGE_CHILDREN": ","}, "names no gateway process"),
        ({"EDGE_CHILDREN": "127.0.0.1:5070,127.0.0.1:5070"}, "different"),
        ({"EDGE_BIND_IP": "127.0.0.1"}, "different"),
        ({"EDGE_PEERS": "192.0.2.1/24"}, "EDGE_PEERS"),
        ({"EDGE_PEERS": '0.0.0.0/0"; exit;'}, "EDGE_PEERS"),
        ({"EDGE_BAN_S": "soon"}, "EDGE_BAN_S"),
        ({"EDGE_TLS_VERIFY": "maybe"}, "EDGE_TLS_VERIFY"),
        ({"EDGE_LOG_LEVEL": "LOUD"}, "EDGE_LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(wrong, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        from_env({"EDGE_PUBLIC_IP": "127.0.0.2", **wrong})


def test_a_taken_port_is_named(edge):
    environ = {"PATH": "/usr/bin", "EDGE_PUBLIC_IP": PUBLIC, "EDGE_SIP_PORT": str(edge.port)}
    found = subprocess.run(
        [sys.executable, "-m", "gateway.edge"],
        env=environ,
        capture_output=True,
        check=False,
        text=True,
    )
    assert found.returncode == 2
    assert f"cannot listen on {PUBLIC}:{edge.port}" in found.stderr


def test_the_gateway_gets_its_address_from_the_edges_settings():
    environ = {"EDGE_PUBLIC_IP": "127.0.0.2", "EDGE_CHILDREN": "127.0.0.1:6000"}
    tell_the_gateway(environ)
    assert environ["GATEWAY_SIP_EDGE"] == "127.0.0.1:5060"
    assert (environ["GATEWAY_SIP_HOST"], environ["GATEWAY_SIP_PORT"]) == ("127.0.0.1", "6000")
    with pytest.raises(ValueError, match="GATEWAY_SIP_PORT must be 6000"):
        tell_the_gateway({**environ, "GATEWAY_SIP_PORT": "5070"})
    with pytest.raises(ValueError, match="EDGE_CHILDREN must be as many addresses as GATEWAY_PROC"):
        tell_the_gateway({**environ, "EDGE_CHILDREN": "127.0.0.1:6000,127.0.0.1:6001"})


def test_several_gateway_processes_have_ports_side_by_side_behind_the_edge():
    environ = {"EDGE_PUBLIC_IP": "127.0.0.2", "GATEWAY_PROCESSES": "3"}
    tell_the_gateway(environ)
    assert environ["EDGE_CHILDREN"] == "127.0.0.1:5070,127.0.0.1:5071,127.0.0.1:5072"
    assert environ["GATEWAY_SIP_PORT"] == "5070"
    assert len(from_env(environ).children) == 3


@pytest.mark.parametrize(
    "children", ["127.0.0.1:6000", "127.0.0.1:6000,127.0.0.1:6002", "127.0.0.1:6001,127.0.0.1:6000"]
)
def test_addresses_that_the_processes_do_not_have_are_refused(children):
    environ = {
        "EDGE_PUBLIC_IP": "127.0.0.2", "GATEWAY_PROCESSES": "2", "EDGE_CHILDREN": children,
    }  # fmt: skip
    with pytest.raises(ValueError, match="EDGE_CHILDREN must be as many addresses"):
        tell_the_gateway(environ)


def test_without_settings_there_is_one_gateway_process_behind_the_edge():
    assert from_env({"EDGE_PUBLIC_IP": "127.0.0.2"}).children == (("127.0.0.1", 5070),)
