"""Tests of the containers: lint, pinning, privileges, and completeness."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import urllib.request

import pytest

from tests.infra.dockerfile import built, instructions
from tests.infra.templates import PYTHON
from tests.support.engine import ROOT
from tests.support.ports import free_port

FILES = ("relay/Dockerfile", "gateway/Dockerfile")
CONTROL = {"CHAMADE_CONTROL_URL": "http://127.0.0.1:9", "CHAMADE_CONTROL_SECRET": "s3cret"}


@pytest.mark.parametrize("file", FILES)
def test_hadolint_finds_nothing(file):
    done = subprocess.run(
        [PYTHON.with_name("hadolint"), "--no-color", ROOT / file],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_the_base_image_is_pinned_to_a_python_and_a_debian_version(file):
    for each in instructions(file):
        if each.name == "FROM":
            assert re.match(r"python:3\.\d+-slim-[a-z]+( AS \w+)?$", each.text)


@pytest.mark.parametrize("file", FILES)
def test_a_container_runs_unprivileged_and_has_a_health_check(file):
    by_name = {each.name: each for each in instructions(file)}
    assert by_name["USER"].text.strip() == "10001"
    assert "healthz" in by_name["HEALTHCHECK"].text
    assert "ADD" not in by_name
    assert by_name["CMD"].command[0] == "python"  # no shell in between that keeps SIGTERM to itself


@pytest.mark.parametrize("file", FILES)
def test_every_copy_names_its_files(file):
    for each in instructions(file):
        if each.name == "COPY":
            assert not {".", "./", "/"} & set(each.words[:-1])


def _healthy(url, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "it has ended"
        try:
            return urllib.request.urlopen(f"{url}/healthz", timeout=2).status
        except OSError:
            time.sleep(0.1)
    raise AssertionError("not healthy within 20 s")


@pytest.mark.parametrize(
    ("file", "port_name", "settings"),
    [
        ("relay/Dockerfile", "RELAY_PORT", CONTROL | {"RELAY_HOST": "127.0.0.1"}),
        (
            "gateway/Dockerfile",
            "GATEWAY_PORT",
            {
                "GATEWAY_HOST": "127.0.0.1",
                "GATEWAY_ACCOUNT_SID": "AC" + "0" * 32,
                "GATEWAY_AUTH_TOKEN": "s3cret",
                "GATEWAY_VOICE_URL": "http://127.0.0.1:9/voice",
                "GATEWAY_SIP_PORT": "SIP",
            },
        ),
    ],
)
def test_the_container_runs_on_its_own_files_and_requirements_and_exits_cleanly(
    file, port_name, settings, tmp_path
):
    image = built(file, tmp_path)
    by_name = {each.name: each for each in instructions(file)}
    port = free_port()
    env = {name: str(free_port()) if value == "SIP" else value for name, value in settings.items()}
    env[port_name] = str(port)
    with (tmp_path / "said").open("w") as said:
        process = image.run(by_name["CMD"].command, env, stdout=said, stderr=said)
    try:
        assert _healthy(f"http://127.0.0.1:{port}", process) == 200
        checked = image.run(by_name["HEALTHCHECK"].command, env)
        assert checked.wait(20) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(5)
    assert "Traceback" not in (tmp_path / "said").read_text()
