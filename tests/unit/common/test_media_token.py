"""Tests of the tokens of the two audio sockets: which ones open, and the reasons of refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import control
from common.media_token import MAX_LENGTH, BadTokenError, issue, read

NOW = 1_790_000_000
TOKEN = issue("secret", "call_a", "agent", NOW + 10)


def test_a_token_opens_its_call_and_leg_until_it_expires():
    assert read("secret", TOKEN, "agent", NOW) == "call_a"
    assert read("secret", TOKEN, "agent", NOW + 9) == "call_a"


@pytest.mark.parametrize("secret", ["new,secret", "secret,new", " new , secret "])
def test_a_former_secret_still_opens_what_it_signed(secret):
    assert read(secret, TOKEN, "agent", NOW) == "call_a"


@pytest.mark.parametrize(
    ("secret", "token", "leg", "now", "why"),
    [
        ("secret", "", "agent", NOW, "no token"),
        ("secret", "junk", "agent", NOW, "malformed"),
        ("secret", "call_a.agent.1e3.xx", "agent", NOW, "malformed"),
        ("secret", "call_a.caller.1.xx", "agent", NOW, "malformed"),
        ("secret", TOKEN + "\n", "agent", NOW, "malformed"),
        ("secret", "c" * MAX_LENGTH + ".agent.1.x", "agent", NOW, "malformed"),
        ("secret", TOKEN.replace("call_a", "call_b"), "agent", NOW, "not signed"),
        ("secret", TOKEN.replace("agent", "provider"), "provider", NOW, "not signed"),
        ("secret", TOKEN[:-1], "agent", NOW, "not signed"),
        ("another", TOKEN, "agent", NOW, "not signed"),
        ("", TOKEN, "agent", NOW, "not signed"),
        ("secret", TOKEN, "provider", NOW, "the agent's, not the provider's"),
        ("secret", TOKEN, "agent", NOW + 10, "expired"),
    ],
)
def test_a_wrong_token_is_refused_with_the_reason(secret, token, leg, now, why):
    with pytest.raises(BadTokenError, match=why) as refused:
        read(secret, token, leg, now)
    assert not token or token not in str(refused.value)


@given(st.text(max_size=80))
def test_no_made_up_token_opens_anything(text):
    with pytest.raises(BadTokenError):
        read("secret", text, "agent", NOW)


def test_a_control_request_signature_is_not_accepted_as_a_token():
    signed = control.sign("secret", "/media/attach", b"", NOW)
    with pytest.raises(BadTokenError, match="not signed"):
        read("secret", f"call_a.agent.{NOW}.{signed.partition('v1=')[2]}", "agent", NOW)
