"""The SIP part of the demonstration: a softphone calls in, a trunk is connected, its number is
called, and the agent dials out through it. Carrier and phone are `carrier.py` and `sip_phone.py`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np

from common import g711
from gateway.softphone import wav
from local import listening
from local.agent import Rest, Talk, event_of, ringing_on
from local.carrier import carrier
from local.layout import ABROAD, DID, HOST, ROOT, Layout
from local.ports import free_port_base
from local.sip_phone import SipPhone, Talking, sip_phone

CALLS = ("sip_inbound", "trunk_inbound", "trunk_outbound")

_AGENT, _CALLER = (ROOT / "examples" / "audio" / f"{name}.wav" for name in ("greeting", "caller"))

Say = Callable[[str], None]


async def demonstrate(rest: Rest, layout: Layout, number: str, say: Say) -> dict[str, Any]:
    """Make the three calls, one after the other."""
    username, password = "acct42", secrets.token_hex(8)
    sip, phones = free_port_base(), free_port_base()
    async with (
        sip_phone(phones) as phone,
        carrier(sip, username, password, (HOST, phones)),
    ):
        shown = {"sip_inbound": await _inbound(rest, phone, layout.sip_uri(number), number, say)}
        settings = {"host": HOST, "port": sip, "username": username, "password": password}
        await rest("PUT", "/api/trunk", settings | {"caller_id": DID, "allowed_countries": ["FR"]})
        await event_of(rest, lambda event: event["type"] == "trunk.registered")
        say(f"trunk at {HOST}:{sip} registered")
        await rest("POST", "/api/trunk/dids", {"e164": DID, "label": "demonstration"})
        shown["trunk_inbound"] = await _inbound(rest, phone, f"sip:{DID}@{HOST}:{sip}", DID, say)
        shown["trunk_outbound"] = await _outbound(rest, phone, say)
        await rest("DELETE", "/api/trunk")
    return shown


def all_well(shown: dict[str, Any]) -> bool:
    """Return whether each call ended in the way that was intended."""
    reasons = {"trunk_outbound": "agent_hangup"}
    return all(
        (shown[name]["state"], shown[name]["end_reason"])
        == ("ended", reasons.get(name, "caller_hangup"))
        for name in CALLS
    )


async def _inbound(rest: Rest, phone: SipPhone, uri: str, line: str, say: Say) -> dict[str, Any]:
    """Make a call from the phone: the agent accepts, both talk, the phone hangs up."""
    dialling = asyncio.create_task(phone.dial(uri))
    call_id = await ringing_on(rest, line)
    accepted = await rest("POST", f"/api/call/{call_id}/accept")
    talk = Talk(accepted["audio"])
    running = asyncio.create_task(talk.run(wav.read(_AGENT)))
    talking = await dialling
    await _talk(talk, talking)
    await talking.hang_up()
    await running
    return _verdict(uri, talk, talking, say) | await _outcome(rest, call_id)


async def _outbound(rest: Rest, phone: SipPhone, say: Say) -> dict[str, Any]:
    """Make a call from the agent: the phone answers, both talk, the agent hangs up."""
    uri = f"sip:{ABROAD}@{HOST}"
    answering = asyncio.create_task(phone.answer_next())
    call = await rest("POST", "/api/call", {"platform": "sip", "meeting_url": uri})
    talk = Talk(call["audio"])
    running = asyncio.create_task(talk.run(wav.read(_AGENT)))
    talking = await answering
    await _talk(talk, talking)
    await rest("POST", f"/api/call/{call['call_id']}/leave")
    await asyncio.gather(talking.ended.wait(), running)
    return _verdict(uri, talk, talking, say) | await _outcome(rest, call["call_id"])


_IN_FLIGHT_S = 0.5
"""Seconds for which the end of the sound may still be in jitter buffers."""


async def _talk(talk: Talk, talking: Talking) -> None:
    """Have both sides play at the same time, until each has been heard to the end."""
    await talk.started.wait()
    await asyncio.gather(talk.played.wait(), talking.play(wav.read(_CALLER)))
    await asyncio.sleep(_IN_FLIGHT_S)


async def _outcome(rest: Rest, call_id: str) -> dict[str, Any]:
    over = await rest.wait_for(call_id, "ended", "failed", "missed", "declined")
    return {"state": over["state"], "end_reason": over["end_reason"]}


def _verdict(uri: str, talk: Talk, talking: Talking, say: Say) -> dict[str, Any]:
    phone_side = listening.follow(_samples(wav.read(_AGENT)), _samples(talking.heard))
    agent_side = listening.follow(_samples(wav.read(_CALLER)), _samples(talk.heard))
    slips = phone_side.slips + agent_side.slips
    say(
        f"{uri}: phone heard {phone_side.share:.0%} of the agent's clip, "
        f"agent heard {agent_side.share:.0%} of the phone's"
        + (f"; slips, since this machine was busy: {slips}" if slips else "")
    )
    return {"caller_heard": phone_side.heard, "agent_heard": agent_side.heard}


def _samples(ulaw: bytes | bytearray) -> listening.Samples:
    return g711.DECODE_TABLE[np.frombuffer(bytes(ulaw), np.uint8)]
