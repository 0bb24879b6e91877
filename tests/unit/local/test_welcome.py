"""Tests of the lines that `make run` prints."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

from local import aws, processes
from local.credentials import Credentials
from local.layout import Layout
from local.ports import free_port_base
from local.stack import Stack, found_by_sweep
from local.supervisor import welcome


def test_paths_can_be_pasted_into_a_shell_though_they_have_a_blank(tmp_path):
    layout = Layout(8700, tmp_path / "my projects" / "state")
    stack = Stack(layout, Credentials.load(layout.state_dir), 0)
    lines = dict(line.strip().split("   ", 1) for line in welcome(stack, 1.0).splitlines()[1:5])
    pasted = {label: shlex.split(text) for label, text in lines.items()}
    assert pasted["for your shell"] == [".", str(layout.shell_file)]
    assert pasted["addresses and keys"] == [str(layout.stack_file)]
    assert pasted["what each part says"] == [str(layout.state_dir / "logs")]
    env, *_, callee, _ = welcome(stack, 1.0).splitlines()[6:]
    assert shlex.split(env)[1].startswith(str(layout.shell_file))
    assert str(layout.stack_file) in shlex.split(callee)


def test_the_welcome_warns_that_the_carrier_replaces_a_trunk(tmp_path):
    layout = Layout(8700, tmp_path)
    told = welcome(Stack(layout, Credentials.load(tmp_path), 0), 1.0).splitlines()
    (warning,) = (line for line in told if "`trunk connect` replaces" in line)
    (command,) = (line for line in told if "chamade trunk connect" in line)
    assert told.index(warning) < told.index(command)


def test_each_part_is_announced_in_a_sentence_as_it_is_started(tmp_path, monkeypatch):
    happened = []
    part = SimpleNamespace(dead=False)

    def start(name, *_, **__):
        happened.append(name)
        return part

    monkeypatch.setattr(processes, "start", start)
    monkeypatch.setattr(processes, "wait_until_up", lambda *_: None)
    monkeypatch.setattr(aws, "provision", lambda *_: None)
    monkeypatch.setattr(aws, "warm_up", lambda *_: None)
    monkeypatch.setattr(aws, "invoke", lambda *_: {})
    for later in ("_seed", "_spawn_upkeep", "_write_stack_file"):
        monkeypatch.setattr(Stack, later, lambda *_: None)
    layout = Layout(free_port_base(), tmp_path)
    Stack(layout, Credentials.load(tmp_path), 0).start(happened.append)
    told = [line for line in happened if " " in line]
    assert all(line.startswith("Starting the ") for line in told)
    for name in ("aws", "carrier", "api", "relay", "gateway"):
        before = happened[happened.index(name) - 1]
        word = {"aws": "AWS", "api": "API"}.get(name, name)
        assert word in before


def test_what_the_sweep_found_is_told_in_words():
    assert found_by_sweep({"alone": 1, "timed": 2}) == []
    assert found_by_sweep({"revived": 12, "made": 1}) == [
        "Of the last run 13 webhooks were left; they are sent now"
    ]
    assert found_by_sweep({"missed": 1, "failed": 1, "unanswered": 1, "errors": 2}) == [
        "Of the last run 3 calls were left open; now they have ended",
        "Calls that could not be checked: 2. logs/aws.log says why",
    ]
    assert found_by_sweep({"missed": 1}) == [
        "Of the last run 1 call was left open; now it has ended"
    ]
    (line,) = found_by_sweep({"errorMessage": "no table", "errorType": "KeyError"})
    assert "could not be checked" in line
