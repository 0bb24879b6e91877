"""Tests of where a carrier finds the caller ID, and of numbers in URIs."""

from __future__ import annotations

import dataclasses

import pytest

from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    CALLED,
    CALLER,
    TRUNK_A,
    applied,
    by_address,
    dialled,
    trunk,
)

NUMBER, ACCOUNT = f"sip:{CALLER}@127.0.0.1", "sip:acct@127.0.0.1"
FIELDS = ("p-asserted-identity", "p-preferred-identity", "remote-party-id")


@pytest.fixture
async def carrier():
    async with Registrar(rings) as carrier:
        yield carrier


async def invite_of(legs, carrier, **settings):
    """The INVITE that a carrier gets of a trunk with those settings."""
    await applied(
        legs, dataclasses.replace(trunk(TRUNK_A, carrier.port), **settings), until="registered"
    )
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    (invite,) = carrier.invites
    return invite


@pytest.mark.parametrize(
    ("where", "from_", "fields"),
    [
        ("auto", NUMBER, {"p-asserted-identity": f"<{NUMBER}>"}),
        ("from", NUMBER, {}),
        ("pai", ACCOUNT, {"p-asserted-identity": f"<{NUMBER}>"}),
        ("ppi", ACCOUNT, {"p-preferred-identity": f"<{NUMBER}>"}),
        (
            "rpid",
            ACCOUNT,
            {"remote-party-id": f"<{NUMBER}>;party=calling;screen=yes;privacy=off"},
        ),
    ],
)
async def test_the_caller_id_stands_where_the_carrier_wants_it(legs, carrier, where, from_, fields):
    invite = await invite_of(legs, carrier, caller_id_in=where)
    assert invite.get("from").startswith(f"<{from_}>;tag=")
    assert {name: value for name in FIELDS if (value := invite.get(name))} == fields


@pytest.mark.parametrize("where", ["from", "pai", "ppi", "rpid"])
async def test_only_auto_dials_once_more_after_a_refusal(legs, carrier, where):
    carrier.answer = lambda _: "403 Forbidden"
    wanted = dataclasses.replace(trunk(TRUNK_A, carrier.port), caller_id_in=where)
    await applied(legs, wanted, until="registered")
    _, call = dialled(legs, TRUNK_A)
    assert (await call.hears("on_hangup"))[1] == 403
    assert len(carrier.invites) == 1


async def test_a_trunk_without_an_account_has_the_number_in_from(legs, carrier):
    await applied(legs, by_address(TRUNK_A, carrier.port, caller_id_in="ppi"), until="ready")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    (invite,) = carrier.invites
    assert invite.get("from").startswith(f"<{NUMBER}>")
    assert invite.get("p-preferred-identity") == f"<{NUMBER}>"


async def test_user_phone_marks_the_uris_that_have_numbers(legs, carrier):
    invite = await invite_of(legs, carrier, user_phone=True)
    called = f"sip:{CALLED}@127.0.0.1;user=phone"
    assert invite.first == f"INVITE {called} SIP/2.0"
    assert invite.get("to") == f"<{called}>"
    assert invite.get("from").startswith(f"<{NUMBER};user=phone>")
    assert invite.get("p-asserted-identity") == f"<{NUMBER};user=phone>"


async def test_user_phone_does_not_mark_an_account(legs, carrier):
    invite = await invite_of(legs, carrier, user_phone=True, caller_id_in="pai")
    assert invite.get("from").startswith(f"<{ACCOUNT}>;tag=")
    assert invite.get("p-asserted-identity") == f"<{NUMBER};user=phone>"
