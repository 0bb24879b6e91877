"""Tests of trunks that register, with Kamailio as the registrar, and of the events about
failures.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time

import pytest

from tests.sip.peers import HOST, Carrier, Silent, Sipp, free_port
from tests.sip.peers.kamailio import certificates
from tests.sip.support import CALLED, DID, PASSWORD, USER, Agent, hears, spoken


async def test_a_trunk_registers_with_an_event_to_its_owner(tenant, carrier):
    connecting = await tenant.connect(carrier.port)
    assert connecting["status"] in {"registering", "registered"}
    trunk = (await tenant.happens("trunk.registered"))["trunk"]
    assert (trunk["status"], trunk["sip_code"]) == ("registered", 200)
    assert [one.answer for one in carrier.requests("REGISTER")] == ["401", "200"]
    (contact,) = (await carrier.registered())[USER]
    # Whoever knows the user name does not know the contact.
    assert not contact["Address"].startswith(f"sip:{USER}@")
    types = [event["type"] for event in await tenant.events()]
    assert types == ["trunk.connected", "trunk.registered"]
    assert PASSWORD not in str(await tenant.events())


@pytest.mark.parametrize("code", [401, 403])
async def test_a_trunk_fails_with_a_wrong_password_and_registers_with_the_right_one(
    up, tenant, code
):
    carrier = await up(Carrier({USER: PASSWORD}, wrong_password=code))
    await tenant.connect(carrier.port, password="wrong")
    trunk = (await tenant.happens("trunk.failed"))["trunk"]
    assert (trunk["status"], trunk["sip_code"]) == ("failed", code)
    assert USER in trunk["detail"]
    assert "password" in trunk["detail"]
    requests = len(carrier.requests("REGISTER"))
    trunk = await tenant.register(carrier)
    assert trunk["revision"] == 2
    # It was not asked again meanwhile: carriers lock out who keeps knocking.
    assert len(carrier.requests("REGISTER")) <= requests + 2


async def test_a_trunk_with_a_wrong_realm_fails(tenant, carrier):
    await tenant.connect(carrier.port, realm="other.example")
    trunk = (await tenant.happens("trunk.failed"))["trunk"]
    assert (trunk["status"], trunk["sip_code"]) == ("failed", 404)
    assert f"{USER}@other.example" in trunk["detail"]
    assert "realm" in trunk["detail"]


async def test_a_trunk_with_the_right_realm_registers(tenant, carrier):
    trunk = await tenant.register(carrier, realm="trunk.example")
    assert trunk["status"] == "registered"
    assert carrier.registrations(USER)[0].uri.startswith("sip:trunk.example")


@pytest.mark.deep
async def test_a_silent_registrar_fails_the_trunk_within_ten_seconds(
    up, accounts, unanswered, carrier
):
    silent = await up(Silent())
    began = time.monotonic()
    over_udp, over_tls = next(accounts), next(accounts)
    await over_udp.connect(silent.port)
    # Where no TLS is spoken.
    await over_tls.connect(carrier.port, transport="tls", host="localhost")
    for tenant, host, port in (
        (over_udp, "127.0.0.1", silent.port),
        (over_tls, "localhost", carrier.port),
    ):
        trunk = (await tenant.happens("trunk.failed", within_s=12))["trunk"]
        assert 7 <= time.monotonic() - began <= 10.5
        assert (trunk["status"], trunk["sip_code"]) == ("failed", None)
        for remedy in (host, f"port {port}", "transport", "firewall"):
            assert remedy in trunk["detail"]
        await tenant.rest("DELETE", "/api/trunk")


@pytest.mark.deep
async def test_registrations_are_refreshed_and_survive_the_registrar_s_restart(
    up, accounts, unanswered
):
    async def outlives(transport):
        tenant = next(accounts)
        carrier = await up(Carrier({USER: PASSWORD}, dids={DID: USER}, expires=(1, 3)))
        await tenant.register(carrier, transport=transport)
        await tenant.add(DID)
        accepted = await carrier.registers(USER, count=4)
        gaps = [after.at - before.at for before, after in itertools.pairwise(accepted)]
        assert all(1 < gap < 3 for gap in gaps), gaps  # it never runs out
        await carrier.restart()
        assert await carrier.registered() == {}
        await carrier.registers(USER, count=len(carrier.registrations()) + 1)
        assert len((await carrier.registered())[USER]) == 1
        caller = await up(Sipp.uac("cancels", carrier.pstn_port, number=DID))
        await tenant.rings()
        await caller.finished()
        assert (await tenant.rest("GET", "/api/trunk"))["status"] == "registered"
        await tenant.rest("DELETE", "/api/trunk")

    await asyncio.gather(outlives("udp"), outlives("tcp"))


async def test_disconnecting_a_trunk_ends_its_registration(tenant, carrier):
    await tenant.register(carrier)
    await tenant.rest("DELETE", "/api/trunk")
    _, last = await carrier.registers(USER, count=2)
    assert last.expires == "0" or last.contact.endswith("expires=0")
    assert await carrier.registered() == {}


async def test_new_settings_end_the_registration_of_the_old_ones(up, tenant, carrier):
    await tenant.register(carrier)
    other = await up(Carrier({"acct43": PASSWORD}))
    await tenant.connect(other.port, username="acct43")
    await asyncio.gather(other.registers("acct43"), carrier.registers(USER, count=2))
    assert await carrier.registered() == {}


@pytest.fixture(params=["tcp", "tls"])
async def over_connection(up, tenant, authority, request):
    """A tenant whose trunk has a connection to its carrier; and that carrier, and its host."""
    carrier = await up(Carrier({USER: PASSWORD}, dids={DID: USER}, tls=authority))
    port = carrier.tls_port if request.param == "tls" else carrier.port
    host = "localhost" if request.param == "tls" else HOST  # a name, for its certificate
    await tenant.register(carrier, host=host, port=port, transport=request.param)
    await tenant.add(DID, auto_answer=True)
    assert carrier.registrations()[0].transport == request.param
    yield tenant, carrier, host
    assert {one.transport for one in carrier.requests("INVITE") if one.user} <= {request.param}


async def test_inbound_calls_use_the_trunks_connection(up, over_connection, softphone, speech):
    tenant, carrier, _ = over_connection
    theirs, agents = speech("caller"), speech("greeting")
    phone = await softphone(says=spoken(theirs), encryption="srtp")
    calling = await phone.dial(f"sip:{DID}@{HOST}:{carrier.pstn_port}")
    call = await tenant.rings()
    agent = await up(Agent(call))
    await calling.established()
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, theirs))
    await calling.hang_up()
    assert await tenant.ending(call) == ("ended", "caller_hangup")


async def test_outbound_calls_use_the_trunks_connection(up, over_connection, softphone, speech):
    tenant, carrier, host = over_connection
    theirs, agents = speech("caller"), speech("greeting")
    phone = await softphone(user=CALLED, says=spoken(theirs), encryption="srtp")
    await carrier.route(CALLED, ("127.0.0.1", phone.port))
    call = await tenant.dial(host=host)
    agent = await up(Agent(call))
    ringing = await phone.rings()
    await ringing.accept()
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, theirs))
    await tenant.leave(call)
    await ringing.closed()
    assert carrier.requests("INVITE")[-1].answer == "routed"


async def test_a_certificate_of_an_unknown_authority_fails_the_trunk(up, tenant):
    carrier = await up(Carrier({USER: PASSWORD}, tls=True))
    await tenant.connect(carrier.tls_port, transport="tls", host="localhost")
    trunk = (await tenant.happens("trunk.failed", within_s=12))["trunk"]
    assert carrier.requests("REGISTER") == []
    assert "certificate" in trunk["detail"]


async def test_a_certificate_for_another_name_fails_the_trunk(up, tenant, authority, tmp_path):
    for file in ("ca.pem", "ca.key"):
        shutil.copy(authority / file, tmp_path)
    await certificates(tmp_path, "DNS:other.example,IP:127.0.0.99")
    carrier = await up(Carrier({USER: PASSWORD}, tls=tmp_path))
    await tenant.connect(carrier.tls_port, transport="tls", host="localhost")
    trunk = (await tenant.happens("trunk.failed", within_s=4))["trunk"]
    assert carrier.requests("REGISTER") == []
    assert "certificate" in trunk["detail"]


async def test_a_host_without_an_address_fails_the_trunk(tenant):
    await tenant.connect(5060, host="nowhere.invalid")
    trunk = (await tenant.happens("trunk.failed", within_s=12))["trunk"]
    assert "nowhere.invalid has no address" in trunk["detail"]


async def test_a_closed_port_fails_the_trunk(tenant):
    await tenant.connect(free_port(), transport="tcp")
    trunk = (await tenant.happens("trunk.failed", within_s=12))["trunk"]
    assert "takes no connections" in trunk["detail"]
