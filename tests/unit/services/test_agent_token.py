"""Tests of the account's agent token, whose signatures Twilio's own validator accepts."""

from __future__ import annotations

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from chalicelib.domain.agent import account_sid, derive, handshake_headers
from chalicelib.services.account import agent_token

URLS = [
    "wss://agent.example/voice",
    "wss://agent.example",
    "wss://agent.example:8443/voice/?key=a%20b&x=",
    "ws://127.0.0.1:9000/ws",
    "wss://user:pw@agent.example/a",
]


def test_the_token_is_derived_and_the_same_until_it_is_rotated(world):
    first = agent_token.current(world.deps, world.account_id)
    mac = hmac.new(
        b"a secret of the tests", f"agent-token:{world.account_id}:1".encode(), hashlib.sha256
    )
    assert (first.token, first.version) == (mac.hexdigest()[:32], 1)
    assert agent_token.current(world.deps, world.account_id) == first
    second = agent_token.rotate(world.deps, world.account_id)
    assert second.version == 2
    assert second.token != first.token
    assert agent_token.current(world.deps, world.account_id) == second
    assert first.token not in repr(first)


def test_accounts_have_different_tokens_and_rotate_independently(world):
    other, _ = world.new_account()
    mine = agent_token.current(world.deps, world.account_id)
    assert agent_token.current(world.deps, other).token != mine.token
    agent_token.rotate(world.deps, other)
    assert agent_token.current(world.deps, world.account_id) == mine
    with pytest.raises(agent_token.UnknownAccount):
        agent_token.current(world.deps, "acc_none")
    with pytest.raises(agent_token.UnknownAccount):
        agent_token.rotate(world.deps, "acc_none")


def test_an_account_without_a_stored_version_has_the_first_token(world):
    from chalicelib.store.table import update

    world.table.write(
        update(
            f"ACCOUNT#{world.account_id}", "ACCOUNT", "REMOVE #v",
            names={"#v": "agent_token_version"}, values={},
        )
    )  # fmt: skip
    assert agent_token.current(world.deps, world.account_id).version == 1
    assert agent_token.rotate(world.deps, world.account_id).version == 2


def test_concurrent_rotations_each_get_a_version_of_their_own(world):
    with ThreadPoolExecutor(8) as pool:
        tokens = list(
            pool.map(lambda _: agent_token.rotate(world.deps, world.account_id), range(8))
        )
    assert sorted(token.version for token in tokens) == list(range(2, 10))
    assert agent_token.current(world.deps, world.account_id).version == 9


@pytest.mark.parametrize("url", URLS)
def test_twilios_validator_accepts_the_handshake(url):
    token = derive("secret", "acc_1", 1).token
    headers = handshake_headers(token, url, "call_1", 1_790_000_000)
    validator = RequestValidator(token)
    assert validator.validate(url, {}, headers["X-Twilio-Signature"])
    assert not validator.validate(url + "x", {}, headers["X-Twilio-Signature"])
    other = derive("secret", "acc_2", 1).token
    assert not RequestValidator(other).validate(url, {}, headers["X-Twilio-Signature"])


def test_our_own_signature_covers_time_call_and_url():
    headers = handshake_headers("t0ken", "wss://a.example/", "call_1", 1_790_000_000)
    signed = f"{headers['X-Chamade-Timestamp']}.{headers['X-Chamade-Call-Id']}.wss://a.example/"
    mac = hmac.new(b"t0ken", signed.encode(), hashlib.sha256).hexdigest()
    assert headers["X-Chamade-Signature"] == f"v1={mac}"
    assert signed == "1790000000.call_1.wss://a.example/"


@given(st.text(min_size=1))
def test_an_account_has_a_sid_in_twilios_form(account_id):
    sid = account_sid(account_id)
    assert sid == account_sid(account_id)
    assert len(sid) == 34
    assert sid[:2] == "AC"
    assert not set(sid[2:]) - set("0123456789abcdef")
