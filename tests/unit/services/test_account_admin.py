"""Tests of an operator's decisions about accounts, and of their effects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_id import inbound_call_id
from chalicelib.domain.voice import VoiceGated
from chalicelib.providers.base import KeepRinging, Reject
from chalicelib.services.account import accounts, sessions
from chalicelib.services.call import inbound
from chalicelib.services.call.at_the_relay import NotHosted
from chalicelib.services.call.say import Words, say
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.line import number_pool, numbers, trunks
from chalicelib.services.operator import account_admin, call_report, reseal
from chalicelib.services.operator.account_admin import UnknownAccount
from chalicelib.store.accounts import AccountStore
from chalicelib.store.vault import KeyFileVault, Vaults


def test_a_suspended_account_has_its_keys_refused_and_its_calls_rejected(world):
    ringing = world.incoming()
    inbound.receive(world.deps, ringing)
    account_admin.suspend(world.deps, world.account_id)
    assert accounts.account_of(world.deps, world.key) is None
    _, new = accounts.create_key(world.deps, world.account_id, "")
    assert accounts.account_of(world.deps, new) is None
    rejected = world.incoming()
    assert inbound.receive(world.deps, rejected) == Reject()
    inbound.caller_gone(world.deps, rejected, failed=False)  # what the provider says after it
    assert world.stores.calls.get(inbound_call_id("gateway", rejected.provider_call_id)) is None
    assert isinstance(inbound.receive(world.deps, ringing), KeepRinging)  # it is up, and goes on

    account_admin.suspend(world.deps, world.account_id, suspended=False)
    for key in (world.key, new):
        assert accounts.account_of(world.deps, key) == world.account_id
    assert isinstance(inbound.receive(world.deps, world.incoming()), KeepRinging)


def test_suspending_takes_effect_before_the_key_index_is_updated(world, monkeypatch):
    """It lags: a key that was made a moment ago is not in it yet."""
    made, clear = accounts.create_key(world.deps, world.account_id, "made at that moment")
    _, cookie = sessions.begin(world.deps, clear)
    monkeypatch.setattr(AccountStore, "keys", lambda *_: [])
    account_admin.suspend(world.deps, world.account_id)
    assert accounts.account_of(world.deps, world.key) is None
    assert accounts.account_of(world.deps, clear) is None
    assert sessions.current(world.deps, cookie) is None
    assert sessions.begin(world.deps, clear) is None
    account_admin.suspend(world.deps, world.account_id, suspended=False)
    assert accounts.account_of(world.deps, clear) == world.account_id
    assert sessions.current(world.deps, cookie).key.key_id == made.key_id


def test_a_suspended_accounts_trunk_brings_no_calls(world):
    trunk = world.register_trunk()
    did = world.new_did("+33199001111")
    incoming = replace(world.incoming(did.e164), trunk_id=trunk.trunk_id)
    account_admin.suspend(world.deps, world.account_id)
    assert inbound.receive(world.deps, incoming) == Reject()
    account_admin.suspend(world.deps, world.account_id, suspended=False)
    assert isinstance(inbound.receive(world.deps, incoming), KeepRinging)


def test_closing_an_account_releases_its_resources(world):
    world.register_trunk()
    number = world.number
    account_admin.close(world.deps, world.account_id)
    assert world.stores.lines.get(number).account_id is None
    assert world.stores.trunks.of_account(world.account_id) is None
    assert account_admin.get_account(world.deps, world.account_id).suspended
    account_admin.close(world.deps, world.account_id)  # done twice it is as well


def test_changed_limits_apply_from_the_next_request(world):
    number_pool.add(world.deps, "+15557654321", "XX", "gateway")
    account_admin.set_limits(world.deps, world.account_id, {"max_numbers": 1})
    with pytest.raises(numbers.TooManyNumbers):
        numbers.activate(world.deps, world.account_id, "XX")
    for wrong in ({"no_limit": 1}, {"rate_factor": 0}, {"max_numbers": -1}):
        with pytest.raises(ValueError, match=r"limit|too low"):
            account_admin.set_limits(world.deps, world.account_id, wrong)
    with pytest.raises(UnknownAccount):
        account_admin.set_limits(world.deps, "acc_nobody", {"max_numbers": 1})


def test_the_hosted_voice_beta_can_be_granted_and_withdrawn(world):
    call = world.ringing()
    for granted, refusal in ((True, NotHosted), (False, VoiceGated)):
        account_admin.set_hosted_voice(world.deps, world.account_id, granted)
        with pytest.raises(refusal):
            say(world.deps, world.account_id, call.call_id, Words(text="Hello"))


def test_the_pool_counts_held_and_free_numbers(world):
    number_pool.add(world.deps, "+15551112222", "QQ", "gateway")
    number_pool.add(world.deps, "+15551112223", "QQ", "gateway")
    numbers.activate(world.deps, world.account_id, "QQ")
    assert number_pool.counts(world.deps)["QQ"] == (1, 1)
    (held,) = (
        line.e164
        for line in number_pool.list_all(world.deps)
        if line.country == "QQ" and line.account_id
    )
    with pytest.raises(number_pool.NotInPool):
        number_pool.remove(world.deps, held)
    with pytest.raises(number_pool.UnknownProvider):
        number_pool.add(world.deps, "+15551112224", "QQ", "nobody")


def test_the_report_of_a_call_is_complete_and_holds_no_token(world):
    numbers.change(
        world.deps, world.account_id, world.number,
        numbers.LineChanges(agent_url="wss://agent.example/voice?token=s3cret"),
    )  # fmt: skip
    call = world.ringing()
    report = call_report.of_call(world.deps, call.call_id)
    assert report["call"]["agent_url"] == "wss://agent.example/voice"
    assert [each["type"] for each in report["events"]] == ["call.ringing"]
    assert "s3cret" not in repr(report)
    assert world.events()[-1] == "call.ringing"  # numbered now: the story finds it there, too
    assert call_report.of_call(world.deps, call.call_id)["events"][0]["sequence"] is not None
    with pytest.raises(UnknownCall):
        call_report.of_call(world.deps, "call_nobody")


def test_resealing_keeps_revisions_and_counts_lost_secrets(world, tmp_path):
    trunk = world.register_trunk()
    (tmp_path / "new").write_bytes(b"n" * 32)
    new = KeyFileVault(tmp_path / "new")
    both = replace(world.deps, vault=Vaults([new, world.deps.vault]))
    events = world.events()
    done = reseal.everything(both)
    assert (done.sealed >= 1, done.lost) == (True, 0)
    assert trunks.credentials(replace(world.deps, vault=new), trunk) == "s3cret-pw"
    assert world.events() == events
    assert reseal.everything(world.deps).lost >= 1
