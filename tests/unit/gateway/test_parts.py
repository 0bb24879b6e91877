"""Tests of small parts: settings, logs, WAV files, the clock, credentials."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import struct
import time

import pytest

from common import g711
from common.log_lines import JsonFormatter
from gateway.config import from_env
from gateway.http import auth
from gateway.media.ticker import Ticker
from gateway.softphone import wav
from gateway.telemetry import logs

ENV = {
    "GATEWAY_ACCOUNT_SID": "AC" + "a" * 32,
    "GATEWAY_AUTH_TOKEN": "hush-hush",
    "GATEWAY_VOICE_URL": "http://app/voice",
}


def test_settings_are_read_from_the_environment():
    config = from_env(
        ENV
        | {
            "GATEWAY_PORT": "9000",
            "GATEWAY_REDIRECT_RINGING": "21220",
            "GATEWAY_MAX_CALLS": "7",
            "GATEWAY_WEBHOOK_TIMEOUT": "2.5",
        }
    )
    assert (config.host, config.port, config.max_calls) == ("127.0.0.1", 9000, 7)
    assert config.redirect_ringing_works is False
    assert config.webhook_timeout == 2.5
    assert config.status_url is None
    assert from_env(ENV).redirect_ringing_works is True


def test_trunks_and_sip_are_off_unless_they_are_set_up():
    config = from_env(ENV)
    assert config.control_url is None
    assert config.sip_port == 0
    assert config.gateway_id
    assert config.sip_edge is None
    assert config.rtp_ports == (10000, 19999)
    assert not config.allow_private_trunks


def test_trunks_and_sip_are_set_up_from_the_environment(tmp_path):
    authorities = tmp_path / "ca.pem"
    authorities.write_text("")
    config = from_env(
        ENV
        | {
            "GATEWAY_CONTROL_URL": "https://app.example/api/",
            "GATEWAY_CONTROL_SECRET": "also-secret",
            "GATEWAY_ID": "gateway-2",
            "GATEWAY_TRUNK_REFRESH": "5",
            "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
            "GATEWAY_SIP_PORT": "5070",
            "GATEWAY_SIP_HOST": "10.0.0.5",
            "GATEWAY_SIP_CHILDREN": "1",
            "GATEWAY_RTP_PORTS": "20000-20999",
            "GATEWAY_SIP_EDGE": "edge:5060",
            "GATEWAY_SIP_CA_FILE": str(authorities),
            "GATEWAY_SIP_REGISTER_INTERVAL": "300",
            "GATEWAY_RTP_TIMEOUT": "12",
        }
    )
    assert config.control_url == "https://app.example/api"
    assert (config.control_secret, config.gateway_id) == ("also-secret", "gateway-2")
    assert (config.trunk_refresh, config.allow_private_trunks) == (5.0, True)
    assert (config.sip_host, config.sip_port) == ("10.0.0.5", 5070)
    assert config.rtp_ports == (20000, 20999)
    assert (config.sip_edge, config.sip_ca_file) == ("edge:5060", str(authorities))
    assert (config.sip_register_interval, config.rtp_timeout) == (300.0, 12.0)
    assert "also-secret" not in repr(config)


def test_the_token_is_in_no_representation_of_the_settings():
    assert "hush-hush" not in repr(from_env(ENV))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_ACCOUNT_SID", "AC1"),
        ("GATEWAY_AUTH_TOKEN", ""),
        ("GATEWAY_VOICE_URL", "ftp://x"),
        ("GATEWAY_STATUS_URL", "nonsense"),
        ("GATEWAY_PORT", "many"),
        ("GATEWAY_PORT", "70000"),
        ("GATEWAY_MAX_CALLS", "-1"),
        ("GATEWAY_REDIRECT_RINGING", "maybe"),
        ("GATEWAY_WEBHOOK_TIMEOUT", "nan"),
        ("GATEWAY_TIME_LIMIT", "inf"),
        ("GATEWAY_CONTROL_URL", "ftp://x"),
        ("GATEWAY_ID", "a b"),
        ("GATEWAY_TRUNK_REFRESH", "0.5"),
        ("GATEWAY_ALLOW_PRIVATE_TRUNKS", "yes"),
        ("GATEWAY_SIP_PORT", "65536"),
        ("GATEWAY_SIP_HOST", "a b"),
        ("GATEWAY_SIP_CHILDREN", "0"),
        ("GATEWAY_SIP_CHILDREN", "2"),
        ("GATEWAY_RTP_PORTS", "10000"),
        ("GATEWAY_RTP_PORTS", "20000-10000"),
        ("GATEWAY_RTP_PORTS", "10000-10001"),
        ("GATEWAY_RTP_PORTS", "60000-70000"),
        ("GATEWAY_RTP_PORTS", "80-9000"),
        ("GATEWAY_SIP_EDGE", "edge"),
        ("GATEWAY_SIP_EDGE", "edge:0"),
        ("GATEWAY_SIP_EDGE", "edge:99999"),
        ("GATEWAY_SIP_EDGE", "ed>ge:5060"),
        ("GATEWAY_SIP_CA_FILE", "/nowhere/ca.pem"),
        ("GATEWAY_SIP_REGISTER_INTERVAL", "5"),
        ("GATEWAY_RTP_TIMEOUT", "0"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        from_env(ENV | {name: value})


@pytest.mark.parametrize("name", ["GATEWAY_CONTROL_URL", "GATEWAY_CONTROL_SECRET"])
def test_the_control_settings_come_together(name):
    both = {"GATEWAY_CONTROL_URL": "http://app", "GATEWAY_CONTROL_SECRET": "s"}
    with pytest.raises(ValueError, match=f"{name} is not set"):
        from_env(ENV | {key: value for key, value in both.items() if key != name})


def test_a_log_line_is_json_and_names_the_call():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("gateway.test-of-logs")
    logger.addHandler(handler)
    logs.of_call(logger.name, "CA1").warning('a "line"\n%s', "é", extra={"error_code": 12100})
    entry = json.loads(stream.getvalue())
    assert entry["call_sid"] == "CA1"
    assert entry["error_code"] == 12100
    assert entry["level"] == "warning"
    assert entry["message"] == 'a "line"\né'


def test_only_the_right_credentials_are_allowed():
    config = from_env(ENV)
    good = auth.basic(config.account_sid, config.auth_token)
    assert auth.allowed(config, good)
    for bad in (None, "", "Basic", "Basic ???", "Bearer x", good[:-4], good.replace("Basic", "B")):
        assert not auth.allowed(config, bad)


def wav_file(kind, rate, channels, bits, data):
    fmt = struct.pack("<HHIIHH", kind, channels, rate, rate * bits // 8, bits // 8, bits)
    body = b"fmt " + struct.pack("<I", 16) + fmt + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def test_a_wav_file_reads_back_as_it_was_written(tmp_path, tone):
    wav.write(tmp_path / "a.wav", tone(440, 0.1))
    assert wav.read(tmp_path / "a.wav") == tone(440, 0.1)


def test_mu_law_and_pcm_files_are_read(tmp_path, tone):
    ulaw = tone(440, 0.1)
    (tmp_path / "u.wav").write_bytes(wav_file(7, 8000, 1, 8, ulaw))
    (tmp_path / "p.wav").write_bytes(wav_file(1, 8000, 1, 16, g711.decode(ulaw)))
    assert wav.read(tmp_path / "u.wav") == wav.read(tmp_path / "p.wav") == ulaw


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no WAV"),
        (b"RIFF\0\0\0\0WAVE", "no format"),
        (wav_file(1, 16000, 1, 16, b""), "16000 Hz"),
        (wav_file(1, 8000, 2, 16, b""), "2 channel"),
        (wav_file(1, 8000, 1, 8, b""), "neither"),
        (wav_file(3, 8000, 1, 32, b""), "neither"),
    ],
)
def test_an_unsupported_wav_file_is_refused_with_the_reason(tmp_path, content, says):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        wav.read(tmp_path / "x.wav")


async def test_the_clock_does_not_drift_and_makes_up_for_late_ticks():
    ticker, ticks, done = Ticker(), [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def tick():
        ticks.append(loop.time())
        if len(ticks) == 5:
            time.sleep(0.09)  # the process is held up
        if len(ticks) == 25:
            done.set()

    began = loop.time()
    ticker.add(tick)
    await asyncio.wait_for(done.wait(), 5)
    assert ticks[-1] - began == pytest.approx(0.5, abs=0.03)
    ticker.discard(tick)


async def test_a_member_that_raises_does_not_stop_the_clock(caplog):
    ticker, done = Ticker(), asyncio.Event()
    ticker.add(lambda: 1 / 0)
    ticker.add(done.set)
    await asyncio.wait_for(done.wait(), 5)
    ticker.discard(done.set)
    assert "left out" in caplog.text
