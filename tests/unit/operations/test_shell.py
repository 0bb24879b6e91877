"""Tests of the operator's command line: start, output, exit codes."""

from __future__ import annotations

import json
import subprocess

import click
import pytest

from chalicelib.domain.version import VERSION
from operations.admin import main, root
from operations.shell import Session
from tests.support.engine import ROOT


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in ("CHAMADE_TABLE", "CHAMADE_FUNCTION"):
        monkeypatch.delenv(name, raising=False)


def test_the_command_runs_from_any_folder(tmp_path):
    done = subprocess.run(
        [ROOT / "operations" / "chamade-admin", "--version"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == f"chamade-admin, version {VERSION}\n"


def test_the_command_without_an_installation_explains_how_to_name_one(tmp_path, capsys):
    stack = str(tmp_path / "stack.json")
    assert main(["--stack", stack, "account", "list"]) == 2
    assert "--function NAME" in capsys.readouterr().err
    assert main(["--stack", stack, "account", "list", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["exit_code"] == 2


@pytest.mark.parametrize("wrong", [["no-such"], ["account"], ["account", "show"], ["call", "show"]])
def test_wrong_usage_is_exit_code_2(wrong, capsys):
    assert main(wrong) == 2
    assert "Usage" in capsys.readouterr().err


def test_every_command_has_a_help_text():
    def commands(group):
        for command in group.commands.values():
            yield from commands(command) if isinstance(command, click.Group) else [command]

    found = list(commands(root))
    assert len(found) > 20
    for command in found:
        assert command.help, command.name
        assert "json" in {parameter.name for parameter in command.params}, command.name


def test_control_characters_in_data_are_not_printed(capsys):
    Session().one({"name": "\x1b[2Jevil", "none": None, "yes": True, "many": [1]})
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert printed.splitlines() == ["name  ?[2Jevil", "none  -", "yes   yes", "many  [1]"]
