"""Tests of webhook signatures, against the specification's own library."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from chalicelib.domain.signature import headers, new_secret, sign


def test_the_specifications_example_verifies():
    """Secret, message and signature as in its README."""
    made = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        '{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_the_length_the_specification_requires():
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in made:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_the_library_verifies_signatures_with_either_secret_during_a_rotation(body):
    old, new, other = new_secret(), new_secret(), new_secret()
    sent = headers([new, old], "evt_x_001", int(time.time()), body)
    for secret in (old, new):
        Webhook(secret).verify(body, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body + " ", sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body, {**sent, "webhook-id": "evt_x_002"}, json_parse=False)


def test_an_old_timestamp_is_refused():
    secret = new_secret()
    sent = headers([secret], "evt_x_001", int(time.time()) - 600, "{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify("{}", sent)
