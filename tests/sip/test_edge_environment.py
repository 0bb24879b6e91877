"""Environment variables of edge and gateway in their container, and wrong limits of the edge."""

import pytest

from gateway.edge import container
from gateway.edge.container import for_the_edge, for_the_gateway
from gateway.edge.settings import from_env
from tests.sip.edge_talkers import PUBLIC


def test_each_part_gets_its_own_environment_variables():
    environ = {
        **{"EDGE_PUBLIC_IP": "192.0.2.1", "EDGE_TLS_CERT": "/c", "EDGE_TLS_KEY": "/k"},
        **{"PATH": "/bin", "HOME": "/h", "LANG": "C", "TMPDIR": "/t", "PYTHONUNBUFFERED": "1"},
        **{"GATEWAY_AUTH_TOKEN": "s", "GATEWAY_CONTROL_SECRET": "s", "AWS_SECRET_ACCESS_KEY": "s"},
    }
    for_edge, for_gateway = for_the_edge(environ), for_the_gateway(environ)
    assert set(environ) - set(for_edge) == {
        *("GATEWAY_AUTH_TOKEN", "GATEWAY_CONTROL_SECRET", "AWS_SECRET_ACCESS_KEY"),
    }
    assert set(environ) - set(for_gateway) == {"EDGE_TLS_KEY"}


def test_the_edge_is_started_without_the_gateway_s_secrets(monkeypatch):
    started = {}

    async def both(*parts):
        started.update({command[-1]: environ for command, environ in parts})
        return 0

    monkeypatch.setattr(container, "_both", both)
    monkeypatch.setenv("EDGE_PUBLIC_IP", PUBLIC)
    monkeypatch.setenv("GATEWAY_AUTH_TOKEN", "secret")
    assert container.main() == 0
    assert "GATEWAY_AUTH_TOKEN" not in started["gateway.edge"]
    assert started["gateway.edge"]["EDGE_PUBLIC_IP"] == PUBLIC
    assert started["gateway"]["GATEWAY_AUTH_TOKEN"] == "secret"
    assert started["gateway"]["GATEWAY_SIP_EDGE"]


@pytest.mark.parametrize(
    "wrong", [{"EDGE_INVITES_PER_SOURCE_S": "0"}, {"EDGE_ALLOW_PRIVATE": "perhaps"}]
)
def test_a_wrong_limit_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        from_env({"EDGE_PUBLIC_IP": "127.0.0.2", **wrong})
