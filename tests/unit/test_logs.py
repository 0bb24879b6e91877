"""Lambda's log lines and the containers' have one shape."""

from __future__ import annotations

import json
import logging

from chalicelib.logs import JsonFormatter, log_context
from wire import log_lines


def record():
    made = logging.LogRecord("a.b", logging.WARNING, "f", 1, "call %s", ("rings",), None)
    made.call_id, made.nothing = "call_1", None
    return made


def test_both_formatters_write_the_same_line():
    made = record()
    lines = [json.loads(each.format(made)) for each in (JsonFormatter(), log_lines.JsonFormatter())]
    assert lines[0] == lines[1]
    assert lines[0]["message"] == "call rings"
    assert lines[0]["call_id"] == "call_1"
    assert lines[0]["at"].endswith("Z")


def test_the_context_is_on_every_line_inside_and_on_none_outside():
    other = record()
    del other.call_id
    with log_context(call_id="call_2", provider=None):
        inside = json.loads(JsonFormatter().format(other))
    assert inside["call_id"] == "call_2"
    assert "provider" not in inside
    assert "call_id" not in json.loads(JsonFormatter().format(other))
