"""Tests of the carrier of `make run`: a trunk, and phones that call it and are called by it."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from common import g711
from gateway.legs.sip.parties import parties
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import Registered, Unregistered
from gateway.sip.registration import Registrar
from gateway.softphone import wav
from gateway.softphone.phone import Softphone, SoftphoneError
from local import environment, listening, processes
from local.credentials import Credentials
from local.layout import ABROAD, DID, HOST, Layout
from local.ports import free_port_base
from local.sip_phone import CallFailed, SipPhone, Talking, sip_phone
from tests.support.engine import ROOT
from tests.support.ports import free_port

WITHIN_S = 30
AUDIO = ROOT / "examples" / "audio"


class Network:
    """A carrier that runs, and who may use it."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(free_port_base(), folder)
        self.credentials = Credentials.load(folder)
        self.port = self.layout.ports["carrier"]
        env = environment.carrier(self.layout, self.credentials)
        self.part = processes.start("carrier", "local.carrier_process", env, folder)
        processes.wait_until_up(self.part, f"{self.layout.carrier_url}/healthz")

    def phone(self, token: str | None = None) -> Softphone:
        """Return a phone of the network."""
        kept = self.credentials
        return Softphone(
            self.layout.carrier_url, kept.provider_account_sid, token or kept.provider_auth_token
        )

    @asynccontextmanager
    async def trunk(self):
        """A customer's SIP agent, which is registered until the end of the block."""
        async with sip_phone(free_port()) as phone:
            trunk = Trunk(phone, self.port, self.credentials.carrier_password)
            await trunk.register()
            yield trunk
            await trunk.unregister()


class Trunk:
    """The customer's end of the trunk; it dials numbers."""

    def __init__(self, phone: SipPhone, port: int, password: str) -> None:
        self.phone = phone
        self._port = port
        self._account = DigestAuthoriser(environment.CARRIER_USERNAME, password, os.urandom)

    async def register(self) -> None:
        account = f"sip:{environment.CARRIER_USERNAME}@{HOST}"
        flow = self.phone.endpoint.udp_flow((HOST, self._port))
        registrar = Registrar(uri=f"sip:{HOST}", aor=account, flow=flow, user="customer")
        self._registration = self.phone.agent.register(registrar, self.phone.now, self._account)
        self.phone.flush()
        await self.phone.tells(Registered)

    async def unregister(self) -> None:
        self._registration.end(self.phone.now)
        self.phone.flush()
        await self.phone.tells(Unregistered)

    async def call(self, number: str) -> Talking:
        """Dial a number; return when it is answered. Raises CallFailed."""
        talking = self.ringing(number)
        await talking.wait_up()
        return talking

    def ringing(self, number: str) -> Talking:
        """Dial a number; return at once."""
        uri = f"sip:{number}@{HOST}:{self._port}"
        return self.phone.start(uri, self._account, user=environment.CARRIER_USERNAME)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    made = Network(tmp_path_factory.mktemp("carrier"))
    yield made
    assert processes.stop([made.part]) == []
    assert "Traceback" not in made.part.log.read_text()


def samples(ulaw: bytes) -> np.ndarray:
    return np.frombuffer(g711.decode(ulaw), "<i2")


async def both_hear(talking: Talking, call) -> None:
    """Have both ends of a call speak at the same time, and compare what the other has heard."""
    mine, theirs = wav.read(AUDIO / "greeting.wav")[:16000], wav.read(AUDIO / "caller.wav")[:16000]
    silence = bytes([0xFF]) * 4000
    await asyncio.gather(talking.play(mine + silence), call.play(theirs + silence))
    assert listening.follow(samples(mine), samples(call.audio())).share > 0.7
    assert listening.follow(samples(theirs), samples(talking.heard)).share > 0.7


async def test_a_dialled_phone_rings_and_both_ends_hear_each_other(network):
    registration = await network.phone().register(ABROAD)
    async with asyncio.timeout(WITHIN_S), network.trunk() as trunk:
        dialling = asyncio.create_task(trunk.call(ABROAD))
        call = await registration.next_call()
        assert (call.to, call.from_) == (ABROAD, f"sip:{environment.CARRIER_USERNAME}@{HOST}")
        call.accept()
        talking = await dialling
        await both_hear(talking, call)
        call.dtmf("7")
        await talking.hang_up()
        await call.ended.wait()
    assert (call.ending.status, call.ending.sip_code) == ("completed", 200)
    registration.close()


async def test_keys_go_both_ways_and_the_phone_hangs_up(network):
    registration = await network.phone().register(ABROAD)
    async with asyncio.timeout(WITHIN_S), network.trunk() as trunk:
        dialling = asyncio.create_task(trunk.call(ABROAD))
        call = await registration.next_call()
        call.accept()
        talking = await dialling
        call.dtmf("7")
        assert await talking.keys.get() == "7"
        talking.press("4")
        await call.wait_keys("4")
        call.hangup()
        await talking.ended.wait()
    registration.close()


async def test_a_number_without_a_phone_is_not_available(network):
    async with network.trunk() as trunk:
        with pytest.raises(CallFailed, match="480"):
            await trunk.call(ABROAD)


@pytest.mark.parametrize(("reason", "code"), [("busy", "486"), ("declined", "603")])
async def test_a_phone_that_refuses_says_how(network, reason, code):
    registration = await network.phone().register(ABROAD)
    async with asyncio.timeout(WITHIN_S), network.trunk() as trunk:
        dialling = asyncio.create_task(trunk.call(ABROAD))
        (await registration.next_call()).reject(reason)
        with pytest.raises(CallFailed, match=code):
            await dialling
    registration.close()


async def test_a_trunk_that_gives_up_stops_the_ringing(network):
    registration = await network.phone().register(ABROAD)
    async with asyncio.timeout(WITHIN_S), network.trunk() as trunk:
        talking = trunk.ringing(ABROAD)
        call = await registration.next_call()
        await talking.hang_up()
        await call.ended.wait()
    assert not call.answered.is_set()
    registration.close()


async def test_a_phone_calls_a_number_of_the_trunk(network):
    async with asyncio.timeout(WITHIN_S), network.trunk() as trunk:
        call = await network.phone().place_call(
            DID, from_="+33612345678", forwarded_from="+33199000000"
        )
        incoming = await trunk.phone.next_call()
        who = parties(incoming.invite.headers, incoming.invite.uri)
        assert (who.to, who.from_, who.forwarded_from) == (DID, "+33612345678", "+33199000000")
        await call.ringing.wait()
        talking = await trunk.phone.answer(incoming)
        assert await call.wait_answered()
        await both_hear(talking, call)
        call.hangup()
        await talking.ended.wait()


async def test_without_a_trunk_a_phone_hears_that_the_number_is_not_available(network):
    async with asyncio.timeout(WITHIN_S):
        async with network.trunk():
            pass  # it registers, and takes its registration back
        call = await network.phone().place_call(DID)
        assert not await call.wait_answered()
    assert (call.ending.status, call.ending.sip_code) == ("no-answer", 480)


async def test_a_phone_calls_numbers_only(network):
    async with asyncio.timeout(WITHIN_S):
        call = await network.phone().place_call("sip:x@192.0.2.1")
        await call.ended.wait()
    assert call.ending.sip_code == 404


async def test_a_phone_with_a_wrong_token_is_refused(network):
    with pytest.raises(SoftphoneError, match="401"):
        await network.phone("wrong").register(ABROAD)
