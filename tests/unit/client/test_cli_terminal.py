"""Tests of the command line on terminals of several widths, and in pipes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from chamade.cli.app import root
from tests.unit.client.conftest import CALL, KEY
from tests.unit.client.terminal import command, environment, in_pipe, on_terminal, serving

CALL_ID, FROM, TO = CALL["call_id"], CALL["from"], CALL["to"]
URL = "https://agents.example.com/a/rather/long/path/to/the/hook"
ENDPOINT = {
    "endpoint_id": "ep_" + "a" * 26, "url": URL, "label": "Büro 電話", "events": ["call.*"],
    "enabled": True,
}  # fmt: skip
SECRET = "whsec_" + "s" * 44
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def event(number: int) -> dict[str, object]:
    call_id = f"call_{number:026}"
    return {
        "event_id": f"evt_{number}", "type": "call.ringing", "at": CALL["created_at"],
        "call_id": call_id, "data": {"call": {**CALL, "call_id": call_id}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def env():
    answers = {
        ("GET", "/api/calls"): [{"calls": [CALL], "next_cursor": None}],
        ("GET", f"/api/call/{CALL_ID}"): [CALL],
        ("POST", f"/api/call/{CALL_ID}/accept"): [{**CALL, "state": "active"}],
        ("GET", "/api/webhooks"): [{"webhooks": [ENDPOINT]}],
        ("POST", "/api/webhooks"): [{**ENDPOINT, "secret": SECRET}],
        ("GET", "/api/events"): [{"events": [event(n) for n in range(30)], "cursor": "c"}],
        ("GET", "/api/trunk"): [(404, {
            "code": "no_trunk", "title": "No trunk is connected",
            "detail": 'Connect yours: PUT /api/trunk {"host": "sip.carrier.example"}.',
        })],
    }  # fmt: skip
    with serving(answers) as env:
        yield env


@pytest.mark.parametrize("width", [60, 80, 200])
def test_ids_numbers_and_urls_are_whole_at_any_width(env, width):
    calls = STYLE.sub("", on_terminal(env, width, 24, "call", "list"))
    (line,) = [line for line in calls.splitlines() if CALL_ID in line]
    assert FROM in line
    assert max(map(len, calls.splitlines())) <= width
    assert ("created" in calls) == (width == 200)
    endpoints = on_terminal(env, width, 24, "webhook", "list").splitlines()
    assert [line for line in endpoints if ENDPOINT["endpoint_id"] in line]
    assert [line for line in endpoints if URL in line]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_new_secret_is_on_one_line(env, width):
    printed = on_terminal(env, width, 24, "webhook", "create", URL)
    assert f"secret  {SECRET}" in printed.splitlines()


def test_a_list_that_fits_no_table_is_a_block_for_each(env):
    printed = on_terminal(env, 60, 24, "webhook", "list")
    assert [line.split()[0] for line in printed.splitlines()] == [
        "id", "url", "events", "enabled", "label",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_tail_of_thirty_events_shows_all_and_the_newest_last(width):
    batches = [
        {"events": [event(n) for n in range(first, first + 10)], "cursor": f"c{first}"}
        for first in (0, 10, 20)
    ]
    with serving({("GET", "/api/events"): batches}) as env:
        printed = on_terminal(env, width, 24, "event", "tail", "--count", "30")
    plain = STYLE.sub("", printed)
    assert "\x1b" not in plain  # nothing moves the cursor, so nothing is overwritten
    assert re.findall(r"call_\d{26}", plain) == [f"call_{n:026}" for n in range(30)]
    assert max(map(len, plain.splitlines())) <= width
    assert f"call_{29:026}" in "\n".join(plain.splitlines()[-3:])
    assert plain.count(FROM) == plain.count(TO) == 30


def test_a_pipe_gets_whole_lines_with_tabs_and_no_colours(env):
    listed = in_pipe(env, "call", "list").stdout.splitlines()
    assert listed[0].split("\t") == ["call", "state", "why", "direction", "from", "to", "created"]
    assert listed[1].split("\t")[:6] == [CALL_ID, "ringing", "-", "inbound", FROM, TO]
    shown = in_pipe(env, "call", "show", CALL_ID).stdout
    assert f"call_id\t{CALL_ID}\n" in shown
    made = in_pipe(env, "webhook", "create", URL).stdout
    assert made == f"id\t{ENDPOINT['endpoint_id']}\nsecret\t{SECRET}\n"
    tailed = in_pipe(env, "event", "tail", "--count", "2").stdout.splitlines()
    assert [len(line.split("\t")) for line in tailed] == [6, 6, 6]
    assert "\x1b" not in "".join([*listed, shown, made, *tailed])


@pytest.mark.parametrize("words", [["-q", "call", "accept"], ["call", "accept", "--quiet"]])
def test_quiet_prints_the_id_alone(env, words):
    assert in_pipe(env, *words).stdout == f"{CALL_ID}\n"


def test_quiet_prints_ids_of_lists_and_the_secret_of_a_new_thing(env):
    assert in_pipe(env, "call", "list", "-q").stdout == f"{CALL_ID}\n"
    assert in_pipe(env, "call", "show", CALL_ID, "-q").stdout == f"{CALL_ID}\n"
    assert in_pipe(env, "webhook", "create", URL, "-q").stdout == f"{SECRET}\n"
    assert in_pipe(env, "event", "tail", "-q", "--count", "1").stdout == f"call_{0:026}\n"


def test_json_is_json_and_quiet_does_not_change_it(env):
    for words in (["call", "accept"], ["call", "list"], ["event", "tail", "--count", "1"]):
        assert json.loads(in_pipe(env, *words, "--json", "-q").stdout)


def test_the_help_states_the_format_and_every_exit_code(env):
    text = " ".join(in_pipe(env, "--help").stdout.split())
    assert "CALL=$(chamade call accept -q)" in text
    assert "tabs between them" in text
    assert [code for code in range(8) if not re.search(rf"\b{code} [a-z]", text)] == []


def test_a_broken_pipe_ends_quietly(env):
    words = shlex.join(command("event", "tail", "--after", "oldest"))
    for reader in ("head -1", "true"):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{words} | {reader}"],
            env=env, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join(command('--help'))} | true"],
        env=env, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_an_error_and_no_traceback(env):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("call", "list"), env=env, stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def commands(group=root, words=()):
    yield [*words]
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, [*words, name])


def test_every_help_works_without_credentials_and_with_a_broken_configuration(
    monkeypatch, tmp_path, capsys
):
    from chamade.cli.app import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_bytes(b"\xff{")
    monkeypatch.setenv("CHAMADE_API_URL", "http://[::1")
    monkeypatch.delenv("CHAMADE_API_KEY", raising=False)
    for words in commands():
        assert main([*words, "--help"]) == 0
        assert capsys.readouterr().out.startswith("Usage: chamade")
    assert len(list(commands())) > 30


@pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://xn--a.com", "nonsense"])
@pytest.mark.parametrize("words", [["call", "list"], ["mcp"]])
def test_a_wrong_url_is_exit_code_4_without_a_traceback(tmp_path, url, words):
    done = in_pipe(environment(url), *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: CHAMADE_API_URL")
    assert len(done.stderr.splitlines()) == 1
    assert url in done.stderr


def test_a_broken_stack_file_is_exit_code_4_without_a_traceback(tmp_path):
    env = environment("")
    del env["CHAMADE_API_URL"], env["CHAMADE_API_KEY"]
    (tmp_path / ".local").mkdir()
    for text in ("{", "[]", json.dumps({"api_url": "http://[", "api_key": KEY})):
        (tmp_path / ".local" / "stack.json").write_text(text)
        done = in_pipe(env, "call", "list", cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (4, 1)


def test_a_missing_trunk_is_told_without_a_rest_path(env):
    done = in_pipe(env, "trunk", "show")
    assert done.returncode == 3
    assert done.stderr == (
        "error: No trunk is connected (no_trunk)\n"
        "  `chamade trunk connect HOST --username NAME` connects yours.\n"
    )
