"""Tests of the operator's commands on a running stack: accounts, keys, numbers, calls, backups."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest

from chalicelib import bootstrap
from chalicelib.store.vault import KeyFileVault
from local.agent import Refused, Rest
from operations.admin import main
from operations.installation import of_stack
from tests.support.running import Live, stack_up


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """A stack of its own: accounts are opened and closed on it."""
    with stack_up(tmp_path_factory.mktemp("admin")) as process:
        yield process


@pytest.fixture
def live(process, monkeypatch):
    for name in of_stack(process.state_dir / "stack.json").env:
        monkeypatch.setenv(name, "")
    yield Live(process.read_stack_file())
    bootstrap.config.cache_clear()
    bootstrap.dependencies.cache_clear()


@pytest.fixture
def admin(process, live, capsys):
    """Runs a command; its exit code and what it printed, decoded."""

    def run(*arguments: str):
        stack = ["--stack", str(process.state_dir / "stack.json")]
        code = main([*stack, "--json", *arguments])
        printed = capsys.readouterr()
        return code, json.loads(printed.out.splitlines()[-1] if printed.out else printed.err)

    return run


def test_accounts_are_opened_limited_suspended_and_closed(admin, live):
    code, made = admin("account", "create", "Of the operator's making")
    account_id, rest = made["account_id"], Rest(live.stack["api_url"], made["api_key"])
    assert code == 0
    assert account_id in {each["account_id"] for each in admin("account", "list")[1]}
    number = rest.now("POST", "/api/number")["e164"]
    assert admin("account", "limit", account_id, "max_numbers=1")[1]["max_numbers"] == 1
    with pytest.raises(Refused, match="too_many_numbers"):
        rest.now("POST", "/api/number")
    assert admin("account", "voice", account_id, "grant")[1]["hosted_voice"] is True
    assert rest.now("GET", "/api/account")["hosted_voice"] is True
    shown = admin("account", "show", account_id)[1]
    assert (shown["numbers"], shown["trunk"]) == ([number], None)

    assert admin("account", "suspend", account_id)[1]["suspended"] is True
    with pytest.raises(Refused, match="401"):
        rest.now("GET", "/api/numbers")
    assert asyncio.run(_answer_to_a_call(live, number)) == 404
    assert admin("account", "resume", account_id)[1]["suspended"] is False
    assert [each["e164"] for each in rest.now("GET", "/api/numbers")["numbers"]] == [number]

    assert admin("account", "close", "--yes", account_id)[0] == 0
    with pytest.raises(Refused, match="401"):
        rest.now("GET", "/api/numbers")
    assert admin("number", "show", number)[1]["account_id"] is None


async def _answer_to_a_call(live: Live, number: str) -> int | None:
    call = await live.phone().place_call(number)
    await asyncio.wait_for(call.ended.wait(), 10)
    return call.ending.sip_code


def test_keys_are_made_listed_without_their_secret_and_revoked(admin, live):
    _, made = admin("account", "create", "With keys")
    _, key = admin("key", "create", made["account_id"], "--label", "spare")
    rest = Rest(live.stack["api_url"], key["api_key"])
    assert rest.now("GET", "/api/account")["account_id"] == made["account_id"]
    listed = admin("key", "list", made["account_id"])[1]
    assert [each["label"] for each in listed] == ["first key", "spare"]
    assert "hash" not in listed[0]
    assert admin("key", "revoke", made["account_id"], key["key_id"])[0] == 0
    with pytest.raises(Refused, match="401"):
        rest.now("GET", "/api/account")
    assert admin("key", "revoke", made["account_id"], key["key_id"])[0] == 3
    assert admin("key", "revoke", made["account_id"], listed[0]["key_id"])[0] == 5


def test_the_pool_is_filled_from_a_file_and_numbers_are_taken_back(admin, tmp_path):
    file = tmp_path / "numbers.csv"
    file.write_text("# bought today\n+15555507001,XA\n+15555507002, XA, gateway\n")
    assert admin("number", "add", "--file", str(file))[1] == {"added": 2, "known": 0}
    assert admin("number", "add", "--file", str(file))[1] == {"added": 0, "known": 2}
    listed = admin("number", "list", "--country", "XA", "--free")[1]
    assert [each["e164"] for each in listed] == ["+15555507001", "+15555507002"]
    assert admin("number", "remove", "+15555507001")[0] == 0
    assert admin("number", "show", "+15555507001")[0] == 3
    assert admin("number", "free", "+15555507002")[0] == 5
    for wrong in (["+15555507003", "--country", "XA", "--provider", "none"], ["555"], []):
        assert admin("number", "add", *wrong)[0] == 2


async def test_a_call_is_shown_with_its_events_and_without_secrets(admin, live):
    talking = await live.answered()
    assert talking.call_id in {each["call_id"] for each in admin("call", "live")[1]}
    talking.call.hangup()
    await talking.over()
    await live.rest.wait_for(talking.call_id, "ended")
    shown = admin("call", "show", talking.call_id)[1]
    assert shown["call"]["state"] == "ended"
    assert [each["state"] for each in shown["call"]["history"]] == ["ringing", "active", "ended"]
    types = [each["type"] for each in shown["events"]]
    assert types == ["call.ringing", "call.answered", "call.ended"]
    assert shown["media"]["relay"] == "relay-local"
    assert talking.talk.audio["token"] not in json.dumps(shown)
    assert admin("call", "show", "call_nobody")[0] == 3


def test_an_incomplete_backup_is_not_restored(admin, tmp_path):
    file = tmp_path / "backup.jsonl"
    assert admin("backup", str(file))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert admin("backup", str(file))[0] == 2  # it is there already
    assert admin("restore", str(file))[0] == 5  # the table is not empty
    lines = file.read_text().splitlines()
    for broken in (lines[:-1], lines[:-2] + lines[-1:], ['{"format": 2}', *lines[1:]], ["x"], []):
        file.write_text("\n".join(broken))
        code, output = admin("restore", "--over", str(file))
        assert (code, "no backup" in output["error"] or "not whole" in output["error"]) == (2, True)


def test_the_vaults_key_is_rotated(admin, live, process, tmp_path, monkeypatch):
    old = process.state_dir / "vault.key"
    new = tmp_path / "new.key"
    new.write_bytes(b"n" * 32)
    live.rest.now(
        "PUT", "/api/trunk", {"host": "127.0.0.1", "port": 9, "username": "a", "password": "s3cret"}
    )
    live.rest.now("POST", "/api/webhooks", {"url": "http://127.0.0.1:9999/", "events": ["call.*"]})
    env = of_stack(process.state_dir / "stack.json").env
    for name, value in {**env, "CHAMADE_KEY_FILE": f"{new},{old}"}.items():
        monkeypatch.setenv(name, value)
    assert admin("rotate-vault")[1] == {"sealed": 2, "lost": 0}
    deps = bootstrap.dependencies()
    account_id = live.rest.now("GET", "/api/account")["account_id"]
    record = deps.stores.trunks.record_of_account(account_id)
    context = {"account_id": account_id, "trunk_id": record.trunk.trunk_id}
    assert KeyFileVault(new).open(record.sealed_password, context) == "s3cret"
    assert record.trunk.revision == 1
    monkeypatch.setenv("CHAMADE_KEY_FILE", f"{old}")
    assert admin("rotate-vault") == (1, {"sealed": 0, "lost": 2})
    live.rest.now("DELETE", "/api/trunk")
