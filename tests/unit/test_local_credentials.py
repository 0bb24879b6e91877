"""Tests of the local stack's secrets: created once, kept, readable by their owner only."""

from __future__ import annotations

import json

from local.credentials import Credentials, key_file


def test_secrets_and_the_vaults_key_are_created_once_and_readable_by_their_owner_only(tmp_path):
    made = Credentials.load(tmp_path)
    key = key_file(tmp_path)
    assert len(key.read_bytes()) == 32
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    before = key.read_bytes()
    assert Credentials.load(tmp_path) == made
    assert key.read_bytes() == before
    assert made.gateway_control_secret not in ("", made.control_secret)
    assert made.gateway_control_secret not in repr(made)
    assert made.carrier_password not in repr(made)


def test_a_stack_without_some_secrets_gets_them_and_keeps_the_others(tmp_path):
    made = Credentials.load(tmp_path)
    file = tmp_path / "credentials.json"
    old = json.loads(file.read_text())
    del old["gateway_control_secret"], old["carrier_password"]
    file.write_text(json.dumps(old))
    first = Credentials.load(tmp_path)
    assert first.control_secret == made.control_secret
    assert first.gateway_control_secret
    assert first.carrier_password
    assert Credentials.load(tmp_path) == first
