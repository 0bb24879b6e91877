"""What an operator decides about accounts, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_id import inbound_call_id
from chalicelib.providers.base import KeepRinging, Reject
from chalicelib.services import accounts, numbers, oversight, pool, reseal, ring, story, trunks
from chalicelib.services.oversight import UnknownAccount
from chalicelib.services.say import VoiceGated, VoiceUnavailable, say
from chalicelib.services.transition import UnknownCall
from chalicelib.store.vault import KeyFileVault, Vaults


def test_a_suspended_accounts_keys_open_nothing_and_its_calls_are_rejected(world):
    ringing = world.incoming()
    ring.receive(world.ports, ringing)
    oversight.suspend(world.ports, world.account_id)
    assert accounts.account_of(world.ports, world.key) is None
    _, new = accounts.create_key(world.ports, world.account_id, "")
    assert accounts.account_of(world.ports, new) is None
    rejected = world.incoming()
    assert ring.receive(world.ports, rejected) == Reject()
    ring.caller_gone(world.ports, rejected, failed=False)  # what the provider says after it
    assert world.ports.calls.get(inbound_call_id("gateway", rejected.provider_call_id)) is None
    assert isinstance(ring.receive(world.ports, ringing), KeepRinging)  # it is up, and goes on

    oversight.suspend(world.ports, world.account_id, suspended=False)
    for key in (world.key, new):
        assert accounts.account_of(world.ports, key) == world.account_id
    assert isinstance(ring.receive(world.ports, world.incoming()), KeepRinging)


def test_a_suspended_accounts_trunk_brings_no_calls(world):
    trunk = world.registered()
    did = world.new_did("+33199001111")
    incoming = replace(world.incoming(did.e164), trunk_id=trunk.trunk_id)
    oversight.suspend(world.ports, world.account_id)
    assert ring.receive(world.ports, incoming) == Reject()
    oversight.suspend(world.ports, world.account_id, suspended=False)
    assert isinstance(ring.receive(world.ports, incoming), KeepRinging)


def test_a_closed_account_holds_nothing_any_more(world):
    world.registered()
    number = world.number
    oversight.close(world.ports, world.account_id)
    assert world.ports.lines.get(number).account_id is None
    assert world.ports.trunks.of_account(world.account_id) is None
    assert oversight.one(world.ports, world.account_id).suspended
    oversight.close(world.ports, world.account_id)  # done twice it is as well


def test_limits_count_from_the_next_request_on(world):
    pool.add(world.ports, "+15557654321", "XX", "gateway")
    oversight.set_limits(world.ports, world.account_id, {"max_numbers": 1})
    with pytest.raises(numbers.TooManyNumbers):
        numbers.activate(world.ports, world.account_id, "XX")
    for wrong in ({"no_limit": 1}, {"rate_factor": 0}, {"max_numbers": -1}):
        with pytest.raises(ValueError, match=r"limit|too low"):
            oversight.set_limits(world.ports, world.account_id, wrong)
    with pytest.raises(UnknownAccount):
        oversight.set_limits(world.ports, "acc_nobody", {"max_numbers": 1})


def test_the_beta_of_hosted_voice_is_granted_and_withdrawn(world):
    call = world.ringing()
    for granted, refusal in ((True, VoiceUnavailable), (False, VoiceGated)):
        oversight.set_hosted_voice(world.ports, world.account_id, granted)
        with pytest.raises(refusal):
            say(world.ports, world.account_id, call.call_id)


def test_the_pool_counts_what_is_held_and_what_is_free(world):
    pool.add(world.ports, "+15551112222", "QQ", "gateway")
    pool.add(world.ports, "+15551112223", "QQ", "gateway")
    numbers.activate(world.ports, world.account_id, "QQ")
    assert pool.counts(world.ports)["QQ"] == (1, 1)
    (held,) = (
        line.e164 for line in pool.every(world.ports) if line.country == "QQ" and line.account_id
    )
    with pytest.raises(pool.NotInPool):
        pool.remove(world.ports, held)
    with pytest.raises(pool.UnknownProvider):
        pool.add(world.ports, "+15551112224", "QQ", "nobody")


def test_a_calls_story_is_whole_and_holds_no_token(world):
    numbers.change(
        world.ports, world.account_id, world.number,
        numbers.LineChanges(agent_url="wss://agent.example/voice?token=s3cret"),
    )  # fmt: skip
    call = world.ringing()
    told = story.of_call(world.ports, call.call_id)
    assert told["call"]["agent_url"] == "wss://agent.example/voice"
    assert [each["type"] for each in told["events"]] == ["call.ringing"]
    assert "s3cret" not in repr(told)
    assert world.events()[-1] == "call.ringing"  # numbered now: the story finds it there, too
    assert story.of_call(world.ports, call.call_id)["events"][0]["sequence"] is not None
    with pytest.raises(UnknownCall):
        story.of_call(world.ports, "call_nobody")


def test_resealing_keeps_revisions_and_tells_what_is_lost(world, tmp_path):
    trunk = world.registered()
    (tmp_path / "new").write_bytes(b"n" * 32)
    new = KeyFileVault(tmp_path / "new")
    both = replace(world.ports, vault=Vaults([new, world.ports.vault]))
    events = world.events()
    done = reseal.everything(both)
    assert (done.sealed >= 1, done.lost) == (True, 0)
    assert trunks.credentials(replace(world.ports, vault=new), trunk) == "s3cret-pw"
    assert world.events() == events
    assert reseal.everything(world.ports).lost >= 1
