"""Tests of how much SRTP a trunk offers and takes."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.calls.leg import Release
from gateway.sip.session.offer_answer import OfferAnswer
from local.sip_phone import CallFailed
from tests.sip.peers.registrar import Registrar
from tests.unit.gateway.sip.conftest import TRUNK_A, WITHIN_S, applied, by_address, dialled, trunk

DONE = Release("completed", 200, "")
NOT_HERE = "488 Not Acceptable Here"


def wants(offer: str) -> str:
    """What a carrier is offered: `plain`, `both` or `secure`."""
    if "RTP/SAVP" in offer:
        return "secure"
    return "both" if "a=crypto:" in offer else "plain"


@pytest.fixture
async def carrier():
    """A carrier that refuses all audio."""
    async with Registrar(lambda _: NOT_HERE) as carrier:
        yield carrier


@pytest.mark.parametrize(
    ("policy", "offers"),
    [("off", ["plain"]), ("offered", ["both", "plain"]), ("required", ["secure"])],
)
async def test_a_trunk_offers_what_it_says_and_plain_rtp_after_a_refusal_of_both(
    legs, carrier, policy, offers
):
    wanted = dataclasses.replace(trunk(TRUNK_A, carrier.port), srtp=policy)
    await applied(legs, wanted, until="registered")
    _, call = dialled(legs, TRUNK_A)
    assert (await call.hears("on_hangup"))[1] == 488
    assert [wants(invite.body) for invite in carrier.invites] == offers
    assert call.names == ["on_hangup"]
    assert not legs._placed
    assert len(legs.stack.plane) == 0


async def test_a_carrier_that_refuses_both_number_and_keys_gets_neither(legs, carrier):
    """As FreeSWITCH does behind a proxy that wants the account in From."""

    def picky(invite):
        if "sip:acct@" not in invite.get("from"):
            return "403 Forbidden"
        return "180 Ringing" if wants(invite.body) == "plain" else NOT_HERE

    carrier.answer = picky
    wanted = dataclasses.replace(trunk(TRUNK_A, carrier.port), srtp="offered")
    await applied(legs, wanted, until="registered")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    assert [wants(invite.body) for invite in carrier.invites] == ["both", "both", "plain"]


async def called_by(legs, phone, monkeypatch, policy, offers):
    """A call of the trunk's carrier, a phone, that offers so much SRTP."""
    made = OfferAnswer.__init__

    def offering(self, host, port, random_bytes, *, srtp="off", **more):
        made(self, host, port, random_bytes, srtp=offers, **more)

    wanted = dataclasses.replace(by_address(TRUNK_A, phone.endpoint.local[1]), srtp=policy)
    await applied(legs, wanted, until="ready")
    contact = legs._lines.line_of(TRUNK_A).contact
    with monkeypatch.context() as patch:
        patch.setattr(OfferAnswer, "__init__", offering)
        return phone.start(f"sip:{contact}@127.0.0.1:{legs._config.sip_port}")


@pytest.mark.parametrize("policy", ["off", "offered"])
@pytest.mark.parametrize("offers", ["off", "offered", "required"])
async def test_a_trunk_that_requires_nothing_takes_what_its_carrier_offers(
    legs, phone, monkeypatch, policy, offers
):
    talking = await called_by(legs, phone, monkeypatch, policy, offers)
    leg, _, facts = await legs.exchange.next()
    assert facts["trunk_id"] == TRUNK_A
    await asyncio.wait_for(leg.answer(), WITHIN_S)
    await talking.wait_up()
    keys = talking.audio.media.negotiated.srtp
    assert (keys is None) == (offers == "off")
    leg.hangup(DONE)


@pytest.mark.parametrize("offers", ["off", "offered"])
async def test_a_trunk_that_requires_srtp_refuses_plain_offers(legs, phone, monkeypatch, offers):
    talking = await called_by(legs, phone, monkeypatch, "required", offers)
    with pytest.raises(CallFailed, match=r"^488 .*SRTP only"):
        await talking.wait_up()
    assert legs.exchange.admitted.empty()
    assert not legs._placed


async def test_a_trunk_that_requires_srtp_takes_it(legs, phone, monkeypatch):
    talking = await called_by(legs, phone, monkeypatch, "required", "required")
    leg, _, _ = await legs.exchange.next()
    await asyncio.wait_for(leg.answer(), WITHIN_S)
    await talking.wait_up()
    leg.hangup(DONE)
