"""The local stack's secrets: made once, kept, readable by their owner only."""

from __future__ import annotations

import json

from local.credentials import Credentials, key_file


def test_secrets_and_the_vaults_key_are_made_once_and_are_private(tmp_path):
    made = Credentials.load(tmp_path)
    key = key_file(tmp_path)
    assert len(key.read_bytes()) == 32
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    before = key.read_bytes()
    assert Credentials.load(tmp_path) == made
    assert key.read_bytes() == before
    assert made.gateway_control_secret not in ("", made.control_secret)
    assert made.gateway_control_secret not in repr(made)


def test_a_stack_from_before_trunks_gets_what_it_lacks_and_keeps_it(tmp_path):
    made = Credentials.load(tmp_path)
    file = tmp_path / "credentials.json"
    old = json.loads(file.read_text())
    del old["gateway_control_secret"]
    file.write_text(json.dumps(old))
    first = Credentials.load(tmp_path)
    assert first.control_secret == made.control_secret
    assert first.gateway_control_secret
    assert Credentials.load(tmp_path) == first
