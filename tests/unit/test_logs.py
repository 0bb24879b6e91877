"""Tests that log lines of Lambda and of the containers have one form."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

from chalicelib.logs import formatter, log_context
from common.log_lines import JsonFormatter


def record():
    made = logging.LogRecord("a.b", logging.WARNING, "f", 1, "call %s", ("rings",), None)
    made.call_id, made.nothing = "call_1", None
    return made


def test_a_log_line_is_one_json_object_with_the_callers_fields():
    line = json.loads(formatter().format(record()))
    assert datetime.fromisoformat(line.pop("at")).utcoffset() == timedelta(0)
    assert line == {
        "level": "warning", "logger": "a.b", "message": "call rings", "call_id": "call_1",
    }  # fmt: skip


def test_fields_of_the_process_are_on_each_line():
    assert json.loads(JsonFormatter(lambda: {"relay": "r1"}).format(record()))["relay"] == "r1"


def test_fields_of_a_context_are_on_each_line_inside_it_only():
    other = record()
    del other.call_id
    with log_context(call_id="call_2", provider=None):
        inside = json.loads(formatter().format(other))
    assert inside["call_id"] == "call_2"
    assert "provider" not in inside
    assert "call_id" not in json.loads(formatter().format(other))
