"""`make demo`: show the main features on a stack of its own, in about 70 seconds.

There are three calls at the same time: an agent accepts the first, auto-answer picks up the second,
nobody takes the third. Meanwhile there are three calls over SIP, one after the other
(`demo_sip.py`): a softphone calls a number, somebody calls a number of the owner's own trunk, and
the agent dials out through it. The sound that each side played is searched for in the recording of
the other. The last line is one JSON object; the exit code is 0 if everything was right.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common.g711 import DECODE_TABLE
from gateway.softphone import wav
from gateway.softphone.call import PhoneCall
from gateway.softphone.phone import Softphone
from local import demo_sip, listening
from local.agent import Rest, Talk, ringing_on
from local.layout import ROOT, Layout
from local.stack import temporary_stack

AUDIO = ROOT / "examples" / "audio"
RING_FOR_S = 2.0
MISSED_BETWEEN_S = (60.0, 61.5)


def main() -> int:
    """Run the demonstration; return 0 if it succeeded."""
    with (
        tempfile.TemporaryDirectory(prefix="chamade-demo-") as folder,
        temporary_stack(Path(folder), _say) as stack,
    ):
        _say("stack is up; the calls begin")
        rest = Rest(stack.layout.api_url, stack.credentials.api_key)
        shown = asyncio.run(_demonstrate(rest, stack.phone_account, stack.layout))
    shown = {"ok": _all_well(shown), **shown}
    print(json.dumps(shown), flush=True)
    return 0 if shown["ok"] else 1


async def _demonstrate(
    rest: Rest, phone_account: tuple[str, str, str], layout: Layout
) -> dict[str, Any]:
    phone = Softphone(*phone_account)
    numbers = [(await rest("POST", "/api/number"))["e164"] for _ in range(4)]
    await rest("PATCH", f"/api/number/{numbers[1]}", {"auto_answer": True, "label": "auto"})
    missing = asyncio.create_task(_missed(rest, phone, numbers[2]))
    answered, auto = await asyncio.gather(
        _answered(rest, phone, numbers[0]),
        _auto_answered(rest, phone, numbers[1]),
    )
    # Only now: comparing recordings keeps this process busy, and its SIP phone would stutter.
    sip = await demo_sip.demonstrate(rest, layout, numbers[3], _say)
    missed = await missing
    return {"answered": answered, "auto_answered": auto, "missed": missed, **sip}


async def _answered(rest: Rest, phone: Softphone, number: str) -> dict[str, Any]:
    """Make a call that rings for two seconds and is accepted; both talk, the agent hangs up."""
    call = await phone.place_call(number)
    await call.ringing.wait()
    call_id = await ringing_on(rest, number)
    await asyncio.sleep(RING_FOR_S)  # let it ring, as a person would
    accepted_at = time.monotonic()
    accepted = await rest("POST", f"/api/call/{call_id}/accept")
    agents, callers = wav.read(AUDIO / "greeting.wav"), wav.read(AUDIO / "caller.wav")
    talk = Talk(accepted["audio"])
    talking = asyncio.create_task(talk.run(agents))
    await call.wait_answered()
    _say(f"{number}: answered after {_rang(call):.1f} s")
    await talk.started.wait()
    await call.play(callers)
    await talk.played.wait()
    await call.wait_frames(len(call.received) + 10)
    await rest("POST", f"/api/call/{call_id}/leave")
    await call.ended.wait()
    await talking
    first = call.first_audio()
    return {
        "rang_s": round(_rang(call), 3),
        "accept_to_audio_ms": round((first.at - accepted_at) * 1000, 1) if first else None,
        **_verdict(number, agents, call.audio(), callers, bytes(talk.heard)),
        **await _outcome(rest, call_id),
    }


async def _auto_answered(rest: Rest, phone: Softphone, number: str) -> dict[str, Any]:
    """Make a call that is picked up at once; the agent speaks PCM at 16 kHz, the caller hangs
    up."""
    call = await phone.place_call(number)
    await call.wait_answered()
    call_id = await ringing_on(rest, number)
    shown = await rest("GET", f"/api/call/{call_id}")
    agents, callers = wav.read(AUDIO / "goodbye.wav"), wav.read(AUDIO / "caller.wav")
    talk = Talk(shown["audio"], query="")
    talking = asyncio.create_task(talk.run(_doubled(agents)))
    await talk.started.wait()
    await call.play(callers)
    await talk.played.wait()
    await call.wait_frames(len(call.received) + 10)
    call.hangup()
    await talking
    heard = np.frombuffer(bytes(talk.heard), "<i2")[::2].astype("<i2").tobytes()
    return {
        "rang_s": round(_rang(call), 3),
        **_verdict(number, agents, call.audio(), callers, heard, pcm=True),
        **await _outcome(rest, call_id),
    }


async def _missed(rest: Rest, phone: Softphone, number: str) -> dict[str, Any]:
    """Make a call that nobody takes, timed from the moment it came in, as the caller's side saw
    it."""
    call = await phone.place_call(number)
    await call.ringing.wait()
    began = time.monotonic()
    call_id = await ringing_on(rest, number)
    gone = await rest.wait_for(call_id, "missed", within_s=70)
    after = time.monotonic() - began
    await call.ended.wait()
    assert call.ending is not None
    _say(f"{number}: missed after {after:.2f} s")
    return {
        "after_s": round(after, 3),
        "state": gone["state"],
        "end_reason": gone["end_reason"],
        "caller_got": call.ending.status,
    }


async def _outcome(rest: Rest, call_id: str) -> dict[str, Any]:
    over = await rest.wait_for(call_id, "ended", "failed", "missed", "declined")
    return {"state": over["state"], "end_reason": over["end_reason"]}


def _verdict(  # noqa: PLR0913, PLR0917 - two sides, what each played and heard
    number: str, agents: bytes, to_caller: bytes, callers: bytes, to_agent: bytes, pcm: bool = False
) -> dict[str, Any]:
    caller_side = listening.find(_samples(agents), _samples(to_caller))
    heard = np.frombuffer(to_agent, "<i2") if pcm else _samples(to_agent)
    agent_side = listening.find(_samples(callers), heard.astype(np.int16))
    _say(
        f"{number}: caller heard {caller_side.share:.0%} of the agent's clip, "
        f"agent heard {agent_side.share:.0%} of the caller's"
    )
    return {"caller_heard": caller_side.heard, "agent_heard": agent_side.heard}


def _samples(ulaw: bytes) -> listening.Samples:
    return DECODE_TABLE[np.frombuffer(ulaw, np.uint8)]


def _doubled(ulaw: bytes) -> bytes:
    """Convert mu-law at 8 kHz to PCM at 16 kHz, by linear interpolation."""
    samples = _samples(ulaw).astype(np.float64)
    places = np.arange(2 * len(samples)) / 2
    return np.interp(places, np.arange(len(samples)), samples).astype("<i2").tobytes()


def _rang(call: PhoneCall) -> float:
    assert call.answered_at is not None
    assert call.ringing_at is not None
    return call.answered_at - call.ringing_at


def _all_well(shown: dict[str, Any]) -> bool:
    talks = (shown["answered"], shown["auto_answered"], *(shown[name] for name in demo_sip.CALLS))
    lowest, highest = MISSED_BETWEEN_S
    return (
        all(talk["caller_heard"] and talk["agent_heard"] for talk in talks)
        and (talks[0]["state"], talks[0]["end_reason"]) == ("ended", "agent_hangup")
        and (talks[1]["state"], talks[1]["end_reason"]) == ("ended", "caller_hangup")
        and demo_sip.all_well(shown)
        and (shown["missed"]["state"], shown["missed"]["end_reason"]) == ("missed", "ring_timeout")
        and lowest <= shown["missed"]["after_s"] <= highest
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
