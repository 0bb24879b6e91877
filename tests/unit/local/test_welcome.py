"""Tests of the lines that `make run` prints."""

from __future__ import annotations

import shlex

from local.credentials import Credentials
from local.layout import Layout
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
