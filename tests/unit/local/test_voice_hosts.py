"""Tests of the voice hosts of `make run`: how many there are, and that they are started again."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from local import processes, voice_hosts
from local.credentials import Credentials
from local.layout import BadSetting, Layout
from local.ports import free_port_base
from local.processes import DidNotStart
from local.voice_hosts import VoiceHosts, wanted


@pytest.fixture
def models(tmp_path):
    """The Python with the models; tests install it by writing it."""
    return tmp_path / "python"


def test_there_is_a_voice_host_as_soon_as_its_engine_can_be_had(models):
    assert wanted({}, models) == 0
    assert wanted({"VOICE_ENGINE": "openai"}, models) == 1
    models.touch()
    assert wanted({}, models) == 1
    assert wanted({"CHAMADE_VOICE_HOSTS": "0"}, models) == 0
    assert wanted({"CHAMADE_VOICE_HOSTS": "2"}, models) == 2


@pytest.mark.parametrize("text", ["3", "-1", "two", "1.0"])
def test_a_number_of_hosts_that_cannot_be_is_refused_by_name(models, text):
    with pytest.raises(BadSetting, match="CHAMADE_VOICE_HOSTS"):
        wanted({"CHAMADE_VOICE_HOSTS": text}, models)


class Started:
    """Stands for processes: notes what is started, and lets it end."""

    def __init__(self) -> None:
        self.names, self.more = [], threading.Condition()
        self.parts = []

    def start(self, name, module, environment, log_dir):
        part = SimpleNamespace(
            name=name, dead=False, log=log_dir / name, env=environment,
            process=SimpleNamespace(returncode=-9),
        )  # fmt: skip
        with self.more:
            self.names.append(name)
            self.parts.append(part)
            self.more.notify_all()
        return part

    def wait_for(self, count):
        with self.more:
            assert self.more.wait_for(lambda: len(self.names) >= count, 10)


@pytest.fixture
def started(monkeypatch):
    started = Started()
    monkeypatch.setattr(processes, "start", started.start)
    monkeypatch.setattr(processes, "stop", lambda parts: [])
    monkeypatch.setattr(voice_hosts, "_LOOK_S", 0.001)
    monkeypatch.setattr(voice_hosts, "_PAUSES_S", (0.001, 0.004))
    return started


@pytest.fixture
def hosts(tmp_path):
    layout = Layout(free_port_base(), tmp_path, voice_hosts=2)
    return VoiceHosts(layout, Credentials.load(tmp_path))


def test_a_voice_host_that_ends_is_started_again_and_the_other_goes_on(started, hosts):
    said = []
    hosts.start()
    keeper = threading.Thread(target=hosts.keep_running, args=(said.append,))
    keeper.start()
    started.parts[1].dead = True
    started.wait_for(3)
    started.parts[2].dead = True
    started.wait_for(4)
    hosts.stop()
    keeper.join(10)
    assert not keeper.is_alive()
    assert started.names == ["voice-1", "voice-2", "voice-2", "voice-2"]
    assert [line.startswith("voice-2 ended (exit code -9)") for line in said] == [True, True]


def test_each_host_has_a_port_of_its_own_and_the_secret_of_the_application(started, hosts):
    hosts.start()
    first, second = (part.env for part in started.parts)
    assert first["VOICE_PORT"] != second["VOICE_PORT"]
    assert first["CHAMADE_VOICE_SECRET"] == second["CHAMADE_VOICE_SECRET"] != ""
    assert first["VOICE_URL"].endswith(f":{first['VOICE_PORT']}")


def test_a_host_that_does_not_start_is_told_and_keeps_nothing_from_starting(
    started, hosts, monkeypatch
):
    def fail(part, url, stopping):
        raise DidNotStart(f"{part.name} ended at once")

    monkeypatch.setattr(processes, "wait_until_up", fail)
    said = []
    hosts.start()
    hosts.wait_until_up(said.append, lambda: False)
    assert said == [
        "No hosted voices yet: voice-1 ended at once",
        "No hosted voices yet: voice-2 ended at once",
    ]
