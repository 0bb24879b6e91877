"""The settings of the process and of a call; what waits for a relay."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket

import pytest

from voice.config import from_env
from voice.core.call_settings import CallSettings, read
from voice.network.outbox import MAX_UNSENT, Outbox

NEEDED = {"CHAMADE_CONTROL_URL": "http://127.0.0.1:9/", "CHAMADE_VOICE_SECRET": "hush"}


def test_settings_have_defaults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "task-1")
    config = from_env(NEEDED)
    assert (config.host, config.port, config.max_calls) == ("127.0.0.1", 8705, 8)
    assert (config.url, config.control_url) == ("ws://127.0.0.1:8705", "http://127.0.0.1:9")
    assert re.fullmatch(r"task-1-8705-[0-9a-f]{6}", config.voice_id)
    assert config.engines.engine == "local"


def test_engines_have_their_settings_and_no_secret_is_shown():
    config = from_env(
        NEEDED
        | {
            "VOICE_ENGINE": "openai",
            "VOICE_OPENAI_URL": "http://engine.test/",
            "VOICE_OPENAI_KEY": "sk-secret",
            "VOICE_LANGUAGE": "fr-FR",
            "VOICE_NAME": "lea",
            "VOICE_MAX_CALLS": "3",
        }
    )
    engines = config.engines
    assert (engines.openai_url, engines.openai_key) == ("http://engine.test", "sk-secret")
    assert (engines.language, engines.voice, engines.max_calls) == ("fr-FR", "lea", 3)
    assert "sk-secret" not in repr(config)
    assert "hush" not in repr(config)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"CHAMADE_VOICE_SECRET": ""}, "CHAMADE_VOICE_SECRET"),
        ({"CHAMADE_VOICE_SECRET": "a,,b"}, "CHAMADE_VOICE_SECRET"),
        ({"CHAMADE_CONTROL_URL": ""}, "CHAMADE_CONTROL_URL"),
        ({"VOICE_ENGINE": "hal"}, "VOICE_ENGINE"),
        ({"VOICE_ENGINE": "openai"}, "VOICE_OPENAI_URL"),
        ({"VOICE_MAX_CALLS": "0"}, "VOICE_MAX_CALLS"),
        ({"VOICE_DRAIN_S": "soon"}, "VOICE_DRAIN_S"),
    ],
)
def test_a_setting_that_is_wrong_is_named(env: dict[str, str], named: str):
    with pytest.raises(ValueError, match=named):
        from_env(NEEDED | env)


def encoded(settings: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(settings).encode()).decode()


def test_a_calls_settings_are_read_with_and_without_padding():
    given = {"language": "fr-FR", "name": None, "speed": 1.5, "partials": True, "new": 1}
    wanted = CallSettings(language="fr-FR", speed=1.5, partials=True)
    assert read(encoded(given)) == read(encoded(given).rstrip("=")) == wanted
    assert read("") == CallSettings()


@pytest.mark.parametrize(
    "header",
    ["!", "abc", encoded([]), encoded({"speed": 3}), encoded({"name": "x" * 129}), encoded("\xff")],
)
def test_a_calls_malformed_settings_are_told(header: str):
    with pytest.raises(ValueError, match="X-Chamade-Voice-Settings"):
        read(header)


class DeafSocket:
    """A socket whose peer reads nothing."""

    async def send_bytes(self, _: bytes) -> None:
        await asyncio.Event().wait()

    send_str = send_bytes


async def test_a_relay_that_does_not_read_is_disconnected():
    cut = asyncio.Event()
    outbox = Outbox(DeafSocket(), cut.set)  # type: ignore[arg-type]
    sending = asyncio.create_task(outbox.run())
    for _ in range(MAX_UNSENT // 8000):
        outbox.audio(bytes(8000))
        await asyncio.sleep(0)
    assert not cut.is_set()
    outbox.audio(bytes(16_000))
    assert cut.is_set()
    sending.cancel()


async def test_clear_takes_back_audio_and_marks_that_are_not_sent_but_no_replies():
    sent: list[bytes | str] = []

    class Socket:
        async def send_bytes(self, message: bytes) -> None:
            sent.append(message)

        async def send_str(self, message: str) -> None:
            sent.append(message)

        async def close(self, *, code: int, message: bytes) -> None:
            sent.append(f"{code}")

    outbox = Outbox(Socket(), lambda: None)  # type: ignore[arg-type]
    outbox.audio(b"audio")
    outbox.message({"type": "mark", "name": "v1"})
    outbox.message({"type": "reply", "id": "req_1"})
    outbox.clear()
    outbox.audio(b"more")
    outbox.close(1001, "bye")
    await outbox.run()
    assert sent == ['{"type":"reply","id":"req_1"}', '{"type":"clear"}', b"more", "1001"]
