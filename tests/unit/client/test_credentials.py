"""Where URL and key come from, and that typos do not get far."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.account import mint_key
from chamade.credentials import find, looks_like_key
from chamade.errors import BadCredentials

URL = "https://api.example"


def test_what_is_given_counts_before_the_environment(tmp_path):
    env = {"CHAMADE_API_URL": "https://env.example/", "CHAMADE_API_KEY": mint_key()}
    assert find(env=env).api_url == "https://env.example"
    other = mint_key()
    found = find(URL, other, env)
    assert (found.api_url, found.key) == (URL, other)
    assert other not in repr(found)


@pytest.mark.parametrize("url", ["api.example", "ftp://api.example", "https://", "https://x?y=1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(BadCredentials, match="no address"):
        find(url, mint_key())


def test_a_missing_url_says_what_to_do(tmp_path):
    with pytest.raises(BadCredentials, match=r"\. \.local/env"):
        find(env={}, stack_file=tmp_path / "none")


@given(st.data())
def test_a_key_with_any_character_changed_is_no_key(data):
    key = mint_key()
    assert looks_like_key(key)
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters(categories=["L", "N"]).filter(lambda one: one != key[at]))
    assert not looks_like_key(key[:at] + other + key[at + 1 :])
    assert not looks_like_key(key[:-1])
    with pytest.raises(BadCredentials, match="typo"):
        find(URL, key[:at] + other + key[at + 1 :])


def test_a_stack_on_this_machine_is_found_when_nothing_else_is_known(tmp_path):
    stack, key = tmp_path / "stack.json", mint_key()
    stack.write_text(json.dumps({"api_url": "http://127.0.0.1:8700", "api_key": key}))
    assert find(env={}, stack_file=stack).api_url == "http://127.0.0.1:8700"
    assert find(URL, env={}, stack_file=stack).api_key is None


def test_a_file_cannot_send_anybody_to_another_machine(tmp_path):
    stack = tmp_path / "stack.json"
    stack.write_text(json.dumps({"api_url": "https://evil.example", "api_key": mint_key()}))
    with pytest.raises(BadCredentials):
        find(env={}, stack_file=stack)
