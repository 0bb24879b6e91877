"""Tests of the gateway's side of trunks: only it lists, fetches and reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib import bootstrap
from tests.support.http import CONTROL_SECRET, GATEWAY_CONTROL_SECRET, problem


def gateway(api, verb, body, secret=GATEWAY_CONTROL_SECRET):
    return api.control(f"/gateway/trunks/{verb}", {"gateway": "gateway-1", **body}, secret)


def test_the_gateway_lists_fetches_and_reports(api, world, connected):
    trunk_id, after = connected["trunk_id"], None
    listed = []
    while True:
        page = gateway(api, "list", {"after": after}).json_body
        listed += page["trunks"]
        after = page["next"]
        if after is None:
            break
    assert {"trunk_id": trunk_id, "revision": 1} in listed
    assert gateway(api, "fetch", {"trunk_id": trunk_id}).json_body == {
        "trunk": {
            "trunk_id": trunk_id,
            "revision": 1,
            "name": "main",
            "host": "sip.carrier.example",
            "port": None,
            "transport": "udp",
            "username": "acct42",
            "password": "s3cret-pw",
            "realm": None,
            "caller_id": None,
            "auth": "register",
            "networks": [],
            "srtp": "off",
            "outbound_proxy": None,
            "user_phone": False,
            "caller_id_in": "auto",
            "keep_alive": "none",
        }
    }
    report = {
        "trunk_id": trunk_id,
        "revision": 1,
        "status": "failed",
        "sip_code": 401,
        "detail": "The carrier refuses username or password: set them anew.",
    }
    assert gateway(api, "report", report).json_body == {"revision": 1}
    view = api.call("GET", "/api/trunk").json_body
    assert (view["status"], view["sip_code"], view["detail"]) == ("failed", 401, report["detail"])
    assert gateway(api, "report", {**report, "revision": 7}).json_body == {"revision": 1}


def test_a_deleted_trunk_is_404_for_the_gateway(api, connected):
    api.call("DELETE", "/api/trunk")
    report = {"trunk_id": connected["trunk_id"], "revision": 1, "status": "registered"}
    for verb in ("fetch", "report"):
        assert problem(gateway(api, verb, report)) == (404, "trunk_not_found")


@pytest.mark.parametrize("verb", ["list", "fetch", "report"])
def test_a_post_the_gateway_did_not_sign_is_refused(api, connected, verb, monkeypatch):
    body = {"trunk_id": connected["trunk_id"], "revision": 1, "status": "registered"}
    for secret in (CONTROL_SECRET, "x"):  # a relay's is not the gateway's
        assert problem(gateway(api, verb, body, secret)) == (401, "bad_signature")
    settings = replace(bootstrap.config(), gateway_control_secret="")
    monkeypatch.setattr(bootstrap, "config", lambda: settings)
    assert problem(gateway(api, verb, body, "")) == (401, "bad_signature")


@pytest.mark.parametrize(
    "change", [{"status": "unregistered"}, {"sip_code": 9}, {"revision": "x"}, {"trunk_id": None}]
)
def test_an_invalid_report_is_422(api, connected, change):
    report = {"trunk_id": connected["trunk_id"], "revision": 1, "status": "registered", **change}
    assert problem(gateway(api, "report", report)) == (422, "invalid")
