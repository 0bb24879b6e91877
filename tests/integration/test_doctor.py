"""Tests of the doctor: it finds nothing wrong with a healthy stack, and each fault with its
remedy.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from chalicelib import bootstrap
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services.account import accounts
from chalicelib.services.line import number_pool, trunks
from chalicelib.services.operator import account_admin
from local.layout import HOST, Layout
from operations.doctor.examine import examine
from operations.doctor.finding import Result
from operations.installation import Installation, of_stack
from tests.support import faults
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.running import stack_up

TWILIO = {"CHAMADE_TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "CHAMADE_TWILIO_AUTH_TOKEN": "7" * 32}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A stack of its own: what other tests leave behind is no fault of this one's."""
    with stack_up(tmp_path_factory.mktemp("doctor")) as process:
        yield process


@pytest.fixture(scope="module")
def layout(running):
    return Layout(running.port_base, running.state_dir)


@pytest.fixture
def healthy(running, monkeypatch):
    """The running stack's installation; what it puts into the environment goes again."""
    found = of_stack(running.state_dir / "stack.json")
    for name in {
        **found.env,
        **TWILIO,
        "CHAMADE_TWILIO_API_URL": "",
        "CHAMADE_TWILIO_SIP_DOMAIN": "",
    }:
        monkeypatch.setenv(name, "")
    found.enter()
    yield found
    bootstrap.config.cache_clear()
    bootstrap.dependencies.cache_clear()


def other(healthy: Installation, **changes: str) -> Installation:
    return Installation({**healthy.env, **changes})


def found(installation: Installation, name: str):
    """Return what the doctor says of one thing, which has to be wrong, and the remedy."""
    findings = {each.name: each for each in examine(installation)}
    assert findings[name].result is Result.FAIL, findings
    return findings[name].remedy


def test_every_check_passes_on_a_healthy_stack(running):
    command = [sys.executable, "-m", "operations.admin", "doctor", "--json"]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=running.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    report = json.loads(done.stdout)
    wrong = [each for each in report["findings"] if each["result"] in ("warn", "fail")]
    assert (done.returncode, wrong) == (0, [])
    assert report["counts"]["ok"] >= 20
    assert all(each["seen"] for each in report["findings"])
    assert not any(secret in done.stdout for secret in _secrets(running))


def test_the_doctor_leaves_nothing_behind(healthy):
    def things() -> set[tuple[str, str]]:
        pages = healthy.client("dynamodb").get_paginator("scan").paginate(TableName="chamade")
        return {(i["pk"]["S"], i["sk"]["S"]) for page in pages for i in page["Items"]}

    before = things()
    assert list(examine(healthy))
    assert not {pk for pk, _ in things() - before if pk.startswith(("CALL#", "TRUNK#", "NUMBER#"))}


def test_a_fault_is_exit_code_1_and_its_remedy_is_printed(running):
    env = {**running.env, **of_stack(running.state_dir / "stack.json").env}
    env["CHAMADE_PUBLIC_URL"] = faults.NOWHERE
    done = subprocess.run(
        [sys.executable, "-m", "operations.admin", "doctor"],
        check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "CHAMADE_PUBLIC_URL must be the application's own address" in done.stdout
    assert not any(secret in done.stdout + done.stderr for secret in _secrets(running))


def _secrets(running):
    kept = json.loads((running.state_dir / "credentials.json").read_text())
    return [value for name, value in kept.items() if name.endswith(("secret", "token", "key"))]


def test_a_wrong_auth_token_is_found(healthy):
    wrong = other(healthy, CHAMADE_GATEWAY_AUTH_TOKEN="0" * 32)
    assert "AUTH_TOKEN or CHAMADE_PUBLIC_URL is not what" in found(wrong, "webhook gateway")
    assert "differs from the gateway's" in found(wrong, "gateway login")


def test_a_relay_that_is_down_is_found(healthy):
    wrong = other(healthy, CHAMADE_RELAY_URL=f"ws://{HOST}:{free_port()}")
    assert "Start the relay" in found(wrong, "relay")


def test_a_relay_without_a_door_is_found(healthy):
    wrong = other(healthy, CHAMADE_RELAY_DOOR_URL=f"http://{HOST}:{free_port()}")
    assert "Correct CHAMADE_RELAY_DOOR_URL" in found(wrong, "relay door")


def test_a_voice_host_that_is_down_is_found(healthy):
    url = f"http://{HOST}:{free_port()}"
    wrong = other(healthy, CHAMADE_VOICE_URLS=url, CHAMADE_VOICE_SECRET="3" * 32)
    assert "Start the voice host" in found(wrong, f"voice host {url}")


def test_a_carrier_that_is_down_is_found(healthy):
    assert healthy.carrier_url
    wrong = Installation(healthy.env, f"http://{HOST}:{free_port()}")
    assert "make run" in found(wrong, "carrier")


def test_a_relay_with_another_control_secret_is_found(healthy, layout):
    with faults.run_part("relay", layout, CHAMADE_CONTROL_SECRET="another" * 6) as port:
        wrong = other(healthy, CHAMADE_RELAY_URL=f"ws://{HOST}:{port}")
        assert "CHAMADE_CONTROL_SECRET of the application" in found(wrong, "relay sockets")


def test_a_relay_that_cannot_reach_the_application_is_found(healthy, layout):
    with faults.run_part("relay", layout, CHAMADE_CONTROL_URL=faults.NOWHERE) as port:
        wrong = other(healthy, CHAMADE_RELAY_URL=f"ws://{HOST}:{port}")
        assert "correct its CHAMADE_CONTROL_URL" in found(wrong, "relay sockets")


def test_a_gateway_with_another_control_secret_is_found(healthy, layout):
    with faults.run_part("gateway", layout, GATEWAY_CONTROL_SECRET="another" * 6) as port:
        wrong = other(healthy, CHAMADE_GATEWAY_API_URL=f"http://{HOST}:{port}")
        remedy = ""
        deadline = time.monotonic() + 10
        while "differs" not in remedy and time.monotonic() < deadline:
            names = {each.name: each for each in examine(wrong)}
            remedy = names["gateway control"].remedy
        assert "GATEWAY_CONTROL_SECRET differs" in remedy


def test_a_gateway_that_posts_webhooks_elsewhere_is_found(healthy, layout):
    with faults.run_part("gateway", layout, GATEWAY_VOICE_URL="http://old.example/voice") as port:
        wrong = other(healthy, CHAMADE_GATEWAY_API_URL=f"http://{HOST}:{port}")
        assert "Set GATEWAY_VOICE_URL to" in found(wrong, "gateway webhooks")


def test_a_table_without_index_ttl_and_stream_reader_is_found(healthy):
    name = faults.make_table_without_index_and_ttl(healthy.env["AWS_ENDPOINT_URL"])
    wrong = other(healthy, CHAMADE_TABLE=name)
    assert "Make the index live" in found(wrong, "table indexes")
    assert "Turn time to live on, attribute expires_at" in found(wrong, "table ttl")
    assert "mapping from the table's stream" in found(wrong, "event source mapping")
    assert "restore it" in found(other(healthy, CHAMADE_TABLE="gone"), "table")


def test_a_state_machine_with_another_wait_is_found(healthy):
    arn = faults.make_machine_with_fixed_wait(
        healthy.env["AWS_ENDPOINT_URL"], healthy.env["CHAMADE_RING_STATE_MACHINE"]
    )
    wrong = other(healthy, CHAMADE_RING_STATE_MACHINE=arn)
    findings = {each.name: each for each in examine(wrong)}
    assert findings["ring timer"].seen == "other than infra/ring_timeout.asl.json: Ringing"
    assert "deploy infra/ring_timeout.asl.json again" in findings["ring timer"].remedy


def test_an_expired_certificate_is_found(healthy, tmp_path, monkeypatch):
    with faults.serve_expired_certificate(tmp_path) as (port, authority):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        wrong = other(healthy, CHAMADE_GATEWAY_SOCKET_URL=f"wss://localhost:{port}")
        assert "Renew the certificate of localhost" in found(wrong, f"certificate localhost:{port}")
        monkeypatch.delenv("SSL_CERT_FILE")
        remedy = found(wrong, f"certificate localhost:{port}")
        assert "that a public authority has signed" in remedy


def test_a_trunk_with_the_wrong_password_is_found(healthy):
    deps = healthy.deps
    account, _ = accounts.create_account(deps, "Of the doctor's test")
    with faults.run_registrar("right") as port:
        settings = {"host": HOST, "port": port, "username": "acct", "password": "wrong"}
        trunk, _ = trunks.connect(deps, account.account_id, TrunkSettings.model_validate(settings))
        name, remedy = f"trunk {trunk.trunk_id}", ""
        deadline = time.monotonic() + 20
        while "password" not in remedy and time.monotonic() < deadline:
            findings = {each.name: each for each in examine(healthy)}
            remedy = findings[name].remedy if name in findings else ""
    account_admin.close(deps, account.account_id)
    assert findings[name].result is Result.FAIL
    assert "(SIP 403)" in findings[name].seen
    assert "password" in remedy
    assert "PUT /api/trunk" in remedy


def test_a_number_with_another_voice_url_is_found(healthy):
    number = {
        "phone_number": "+15555509999",
        "voice_url": "https://demo.twilio.com/welcome/voice/",
        "status_callback": f"{healthy.env['CHAMADE_PUBLIC_URL']}/webhooks/twilio/status",
    }
    domain = {"domain_name": "x.sip.twilio.com", "voice_url": "https://old.example/voice"}
    page = {"incoming_phone_numbers": [number], "domains": [domain], "next_page_uri": None}
    with faults.serve_json(page) as twilio:
        urls = {"CHAMADE_TWILIO_API_URL": twilio, "CHAMADE_TWILIO_SIP_DOMAIN": "x.sip.twilio.com"}
        wrong = other(healthy, **TWILIO, **urls)
        number_pool.add(wrong.deps, number["phone_number"], "XT", "twilio")
        try:
            findings = {each.name: each for each in examine(wrong)}
        finally:
            number_pool.remove(wrong.deps, number["phone_number"])
    assert "Set the voice_url of +15555509999 to" in findings["twilio voice_url"].remedy
    assert findings["twilio status_callback"].result is Result.OK
    assert "Set its voice_url to" in findings["twilio sip domain"].remedy


def test_clocks_that_differ_are_found(healthy):
    with faults.serve_json({"status": "ok"}, ahead_s=300) as url:
        wrong = other(healthy, CHAMADE_PUBLIC_URL=url)
        assert "follow NTP" in found(wrong, "clock")
    with faults.serve_json({"status": "ok"}, ahead_s=-300) as url:
        wrong = other(healthy, CHAMADE_GATEWAY_API_URL=url)
        assert "follow NTP" in found(wrong, "gateway clock")


def test_a_public_url_that_leads_nowhere_is_found(healthy):
    wrong = other(healthy, CHAMADE_PUBLIC_URL=faults.NOWHERE)
    assert "CHAMADE_PUBLIC_URL must be the application's own" in found(wrong, "api")
    nameless = other(healthy, CHAMADE_PUBLIC_URL="https://api.chamade.invalid")
    assert "Make a record for api.chamade.invalid" in found(nameless, "dns api.chamade.invalid")


def test_a_missing_vault_key_and_invalid_settings_are_found(healthy):
    lost = other(healthy, CHAMADE_KEY_FILE="/nowhere/vault.key")
    assert "Bring the key file back" in found(lost, "vault")
    assert "Correct the setting" in found(other(healthy, CHAMADE_TABLE=""), "configuration")
