"""Tests of the client's URL and key: their sources, and typos."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.account import mint_key
from chamade.credentials import find, looks_like_key
from chamade.errors import BadCredentials

URL = "https://api.example"


def test_arguments_take_precedence_over_the_environment(tmp_path):
    env = {"CHAMADE_API_URL": "https://env.example/", "CHAMADE_API_KEY": mint_key()}
    assert find(env=env).api_url == "https://env.example"
    other = mint_key()
    found = find(URL, other, env)
    assert (found.api_url, found.key) == (URL, other)
    assert other not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "api.example", "ftp://api.example", "https://", "https://x?y=1", "http://[::1",
        "http://127.0.0.1:87O0", "http://127.0.0.1:99999",
    ],
)  # fmt: skip
def test_a_malformed_url_is_refused_with_an_example_of_a_right_one(url):
    with pytest.raises(BadCredentials, match=r"no address .* looks like https://"):
        find(url, mint_key())


def test_a_missing_url_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(BadCredentials, match=r"\. \.local/env"):
        find(env={}, stack_file=tmp_path / "none")


@given(st.data())
def test_a_key_with_any_character_changed_is_refused_as_a_typo(data):
    key = mint_key()
    assert looks_like_key(key)
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters(categories=["L", "N"]).filter(lambda one: one != key[at]))
    assert not looks_like_key(key[:at] + other + key[at + 1 :])
    assert not looks_like_key(key[:-1])
    with pytest.raises(BadCredentials, match="typo"):
        find(URL, key[:at] + other + key[at + 1 :])


def test_a_stack_on_this_machine_is_found_without_other_credentials(tmp_path):
    stack, key = tmp_path / "stack.json", mint_key()
    stack.write_text(json.dumps({"api_url": "http://127.0.0.1:8700", "api_key": key}))
    assert find(env={}, stack_file=stack).api_url == "http://127.0.0.1:8700"
    assert find(URL, env={}, stack_file=stack).api_key is None


@pytest.mark.parametrize("url", ["https://evil.example", "http://[::1"])
def test_a_stack_file_that_names_another_machine_or_none_is_refused(tmp_path, url):
    stack = tmp_path / "stack.json"
    stack.write_text(json.dumps({"api_url": url, "api_key": mint_key()}))
    with pytest.raises(BadCredentials):
        find(env={}, stack_file=stack)
