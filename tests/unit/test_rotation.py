"""Tests of rotating every secret in three steps, in which signatures of one step are valid in the
next: the new secret is added behind the present one, put before it, and kept alone.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from twilio.request_validator import RequestValidator

from chalicelib.config import BadConfig
from chalicelib.config import from_environment as application
from chalicelib.domain import cursor, session_token
from chalicelib.domain.idempotency import fingerprints
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from chalicelib.services.account import agent_token
from chalicelib.services.dependencies import Secrets
from chalicelib.store.vault import BadSeal, DerivedVault, KeyFileVault, Vaults
from common import call_ticket, control, media_token
from common.call_ticket import Ticket
from common.rotation import accepted, same, signing, well_formed
from gateway.config import Config as GatewayConfig
from gateway.config import from_env as gateway
from gateway.http import auth
from relay.config import from_env as relay
from tests.unit.test_config import ENV

STEPS = ["old", "old,new", "new,old", "new"]
NOW = 1_790_000_000
URL = "https://api.test/webhooks/twilio/voice"


def _control(secret):
    return control.sign(secret, "/media/attach", b"{}", NOW)


def _controlled(secret, signed):
    return control.verify(secret, "/media/attach", b"{}", signed, NOW)


def _ticket(secret):
    return call_ticket.issue(secret, Ticket("+15555500100", "client:x", None, NOW + 60))


def _opens(secret, token):
    try:
        return media_token.read(secret, token, "agent", NOW) == "call_1"
    except media_token.BadTokenError:
        return False


def _cursor(secret, sealed):
    try:
        return cursor.unseal(secret, "acc_1", "calls", sealed) == "7"
    except cursor.BadCursor:
        return False


def _answers(secret):
    return Vaults([DerivedVault(each, "the asker's") for each in accepted(secret)])


def _opened(secret, sealed):
    try:
        return _answers(secret).open(sealed, {}) == "kept"
    except BadSeal:
        return False


def _provider(secret):
    return TwilioProvider(TwilioAccount("twilio", "AC1", secret, "https://api.test", "wss://r"))


def _login(secret, header):
    config = GatewayConfig(account_sid="AC1", auth_token=secret, voice_url="https://api.test")
    return auth.allowed(config, header)


KINDS = {
    "control requests": (_control, _controlled),
    "audio tokens": (
        lambda secret: media_token.issue(secret, "call_1", "agent", NOW + 9),
        _opens,
    ),
    "sessions": (
        lambda secret: session_token.issue(secret, "ab", NOW + 9),
        lambda secret, token: session_token.check(secret, token, NOW) is not None,
    ),
    "cursors": (lambda secret: cursor.seal(secret, "acc_1", "calls", "7"), _cursor),
    "tickets": (
        _ticket,
        lambda secret, text: call_ticket.read(secret, text, NOW) is not None,
    ),
    "idempotency keys": (
        lambda secret: fingerprints(secret, "dial", {}, {"a": 1})[0],
        lambda secret, first: first in fingerprints(secret, "dial", {}, {"a": 1}),
    ),
    "kept answers": (lambda secret: _answers(secret).seal("kept", {}), _opened),
    "webhooks": (
        lambda secret: RequestValidator(signing(secret)).compute_signature(URL, {"CallSid": "CA"}),
        lambda secret, given: _provider(secret).signed("voice", None, {"CallSid": "CA"}, given),
    ),
    "the provider's REST": (lambda secret: auth.basic("AC1", signing(secret)), _login),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_one_rotation_step_is_valid_in_it_and_the_next(kind):
    sign, accepts = KINDS[kind]
    for signer, checker in pairwise(STEPS):
        assert accepts(signer, sign(signer))
        assert accepts(checker, sign(signer)), f"{checker} refuses what {signer} signed"
        # While a step is rolled out some processes have it, and some do not yet.
        assert accepts(signer, sign(checker)), f"{signer} refuses what {checker} signed"


@pytest.mark.parametrize("kind", KINDS)
def test_removed_and_unknown_secrets_are_refused(kind):
    sign, accepts = KINDS[kind]
    assert not accepts("new", sign("old"))
    assert not accepts("new,old", sign("another"))
    assert not accepts("new,old", sign("old")[:-1])


def test_the_vaults_key_is_rotated_in_the_same_steps(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(name[0].encode() * 32)
    old, new = (KeyFileVault(tmp_path / name) for name in ("old", "new"))
    sealed = old.seal("s3cret", {"a": "b"})
    both = Vaults([new, old])
    assert both.open(sealed, {"a": "b"}) == "s3cret"
    assert new.open(both.seal("s3cret", {"a": "b"}), {"a": "b"}) == "s3cret"
    with pytest.raises(BadSeal):
        new.open(sealed, {"a": "b"})
    with pytest.raises(BadSeal):
        both.open(sealed, {"a": "c"})


def test_agents_tokens_stay_the_same_during_a_rotation(world):
    from dataclasses import replace

    def token(tokens, agent_tokens=""):
        secrets = Secrets(tokens, "media", agent_tokens)
        return agent_token.current(replace(world.deps, secrets=secrets), world.account_id).token

    known = token("old")
    assert token("new,old") == token("old,new", "old")
    assert token("new,old") == known
    assert token("new", "old") == known
    assert token("new") != known


@pytest.mark.parametrize("slip", ["new,", ",old", "new,,old", " , "])
def test_an_empty_item_in_a_list_of_secrets_is_refused_by_all_parts(slip):
    assert not well_formed(slip)
    assert "" not in accepted(slip)
    with pytest.raises(BadConfig, match="CHAMADE_TOKEN_SECRET has a comma too many"):
        application(ENV | {"CHAMADE_TOKEN_SECRET": slip})
    with pytest.raises(ValueError, match="CHAMADE_CONTROL_SECRET has a comma too many"):
        relay({"CHAMADE_CONTROL_URL": "http://a", "CHAMADE_CONTROL_SECRET": slip})
    given = {"GATEWAY_ACCOUNT_SID": "AC" + "0" * 32, "GATEWAY_VOICE_URL": "http://a"}
    with pytest.raises(ValueError, match="GATEWAY_AUTH_TOKEN has a comma too many"):
        gateway({**given, "GATEWAY_AUTH_TOKEN": slip})
    control_url = {"GATEWAY_CONTROL_URL": "http://a", "GATEWAY_CONTROL_SECRET": slip}
    with pytest.raises(ValueError, match="GATEWAY_CONTROL_SECRET has a comma too many"):
        gateway({**given, "GATEWAY_AUTH_TOKEN": "t", **control_url})


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"idempotency keys", "kept answers"}))
def test_a_signature_by_a_blank_secret_is_refused(kind):
    sign, accepts = KINDS[kind]
    assert accepted("") == accepted(" ") == []
    assert not same("", [])
    assert not any(accepts(secret, sign("")) for secret in ("", " ", "new"))
