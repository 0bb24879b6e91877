"""Tests of calls through the whole system: phone, gateway, application, state machine, relay,
agent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import numpy as np
import pytest

from local import aws, listening
from local.agent import Refused, Talk
from local.layout import HOST, Layout
from tests.support.clips import clip, samples
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.running import Live


async def test_an_accepted_call_carries_audio_bit_for_bit_both_ways(live):
    agents, callers = clip("goodbye.wav"), clip("caller.wav", 3)
    talking = await live.answered(agents)
    await talking.call.play(callers)
    await asyncio.wait_for(talking.talk.played.wait(), 10)
    await talking.call.wait_heard(agents)
    await live.rest("POST", f"/api/call/{talking.call_id}/leave")
    await talking.over()
    assert agents in talking.call.audio()
    assert callers in bytes(talking.talk.heard)
    over = await live.rest("GET", f"/api/call/{talking.call_id}")
    assert (over["state"], over["end_reason"]) == ("ended", "agent_hangup")
    assert talking.talk.told[-1] == {"type": "stop", "reason": "agent_hangup", "state": "ended"}
    assert [entry["state"] for entry in over["history"]] == ["ringing", "active", "ended"]


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
async def test_pcm_agents_hear_and_are_heard_at_their_rate(live, rate):
    callers = clip("caller.wav", 3)
    agents = samples(clip("greeting.wav", 2))
    grid = np.arange(len(agents) * rate // 8000) * 8000 / rate
    pcm = np.interp(grid, np.arange(len(agents)), agents).astype("<i2").tobytes()
    talking = await live.answered(pcm, f"?rate={rate}")
    await talking.call.play(callers)
    await asyncio.wait_for(talking.talk.played.wait(), 10)
    talking.call.hangup()
    await talking.over()
    audio = np.frombuffer(bytes(talking.talk.heard), "<i2")[:: rate // 8000].astype(np.int16)
    assert listening.find(samples(callers), audio).heard
    assert listening.find(agents, samples(talking.call.audio())).heard


async def test_auto_answer_picks_up_without_an_agent_doing_anything(live):
    number = (await live.rest("POST", "/api/number"))["e164"]
    await live.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    call, call_id = await live.dial(number)
    assert await asyncio.wait_for(call.wait_answered(), 5)
    shown = await live.rest("GET", f"/api/call/{call_id}")
    assert (shown["state"], shown["auto_answer"]) == ("active", True)
    talk = Talk(shown["audio"])
    running = asyncio.create_task(talk.run(b""))
    await talk.started.wait()
    call.hangup()
    await asyncio.wait_for(running, 10)
    assert talk.told[-1]["reason"] == "caller_hangup"
    await live.rest("DELETE", f"/api/number/{number}")


async def test_a_declined_caller_is_not_answered(live):
    call, call_id = await live.dial()
    declined = await live.rest("POST", f"/api/call/{call_id}/refuse")
    assert declined["state"] == "declined"
    await asyncio.wait_for(call.ended.wait(), 5)
    assert not call.answered.is_set()
    assert (call.ending.status, call.ending.sip_code) == ("busy", 486)


async def test_a_call_is_missed_if_the_caller_hangs_up_while_it_rings(live):
    call, call_id = await live.dial()
    call.hangup()
    gone = await live.rest.wait_for(call_id, "missed")
    assert gone["end_reason"] == "caller_hangup"
    with pytest.raises(Refused) as refused:
        await live.rest("POST", f"/api/call/{call_id}/accept")
    assert refused.value.status == 409
    assert refused.value.problem["call"]["state"] == "missed"


async def test_a_call_to_an_unassigned_number_is_rejected(live):
    call = await live.phone().place_call("+15559998888")
    await asyncio.wait_for(call.ended.wait(), 5)
    assert not call.answered.is_set()
    assert call.ending.sip_code == 404


async def test_accept_works_where_a_ringing_call_cannot_be_redirected(live, running):
    """Twilio may answer 21220; then the next poll of the ringing loop brings the answer."""
    stack, port = live.stack, free_port()
    webhooks = f"{stack['api_url']}/webhooks/gateway"
    strict = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", cwd=ROOT, stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "GATEWAY_HOST": HOST, "GATEWAY_PORT": str(port),
            "GATEWAY_ACCOUNT_SID": stack["provider_account_sid"],
            "GATEWAY_AUTH_TOKEN": stack["provider_auth_token"],
            "GATEWAY_VOICE_URL": f"{webhooks}/voice", "GATEWAY_STATUS_URL": f"{webhooks}/status",
            "GATEWAY_REDIRECT_RINGING": "21220",
        },
    )  # fmt: skip
    try:
        await asyncio.wait_for(strict.stderr.readline(), 15)
        elsewhere = Live({**stack, "gateway_url": f"http://{HOST}:{port}"})
        talking = await elsewhere.answered(clip("goodbye.wav", 1))
        assert await talking.call.wait_heard(clip("goodbye.wav", 1)) >= 0
        talking.call.hangup()
        await talking.over()
    finally:
        strict.terminate()
        await strict.wait()


async def test_barge_in_clears_the_queued_audio_and_reports_its_marks(live):
    talking = await live.answered(clip("greeting.wav", 6))
    await talking.call.wait_frames(50)
    await talking.talk.tell(type="clear")
    await talking.talk.tell(type="mark", name="after")
    await asyncio.wait_for(talking.talk.played.wait(), 5)
    frames = len(talking.call.received)
    await talking.call.wait_frames(frames + 25)
    marks = [m for m in talking.talk.told if m["type"] == "mark"]
    assert marks[0] == {"type": "mark", "name": "clip", "played": False}
    assert marks[1] == {"type": "mark", "name": "after", "played": True}
    quiet = samples(b"".join(frame for _, frame in talking.call.received[-20:]))
    assert np.abs(quiet).max() == 0
    talking.call.hangup()
    await talking.over()


async def test_keys_pressed_before_the_agent_connects_reach_it_in_order_with_the_audio(live):
    call, call_id = await live.dial()
    accepted = await live.rest("POST", f"/api/call/{call_id}/accept")
    assert await call.wait_answered()
    voice = clip("caller.wav", 1)
    for digit in "12345#":
        call.dtmf(digit)
    await call.play(voice)
    await call.wait_frames(75)  # 1.5 s: the stream is open, and no agent is there yet
    talk = Talk(accepted["audio"])
    running = asyncio.create_task(talk.run(b""))
    async with asyncio.timeout(10):
        while voice not in bytes(talk.heard):  # noqa: ASYNC110 - the socket has no event for it
            await asyncio.sleep(0.02)
    assert [m["digit"] for m in talk.told if m["type"] == "dtmf"] == list("12345#")
    await talk.socket.close()
    await running
    for digit in "67":
        call.dtmf(digit)
    again = Talk(accepted["audio"])
    running = asyncio.create_task(again.run(b""))
    await asyncio.wait_for(again.started.wait(), 10)
    call.dtmf("8")
    async with asyncio.timeout(10):
        while {"type": "dtmf", "digit": "8"} not in again.told:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    assert again.told[0]["resumed"] is True
    assert [m["digit"] for m in again.told if m["type"] == "dtmf"] == list("678")
    call.hangup()
    await asyncio.wait_for(running, 15)


async def test_dtmf_works_in_both_directions(live):
    talking = await live.answered()
    for key in "1#":
        talking.call.dtmf(key)
    await talking.talk.tell(type="dtmf", digits="59")
    await talking.talk.tell(type="mark", name="tones")
    await asyncio.wait_for(talking.talk.played.wait(), 5)
    pressed = [m["digit"] for m in talking.talk.told if m["type"] == "dtmf"]
    assert pressed == ["1", "#"]
    await talking.call.wait_frames(len(talking.call.received) + 5)
    await asyncio.wait_for(talking.call.wait_keys("59"), 5)
    assert talking.call.keys == "59"
    talking.call.hangup()
    await talking.over()


async def test_an_agent_that_disconnects_can_resume_the_call(live):
    talking = await live.answered()
    await talking.talk.socket.close()
    await talking.running
    again = Talk(talking.talk.audio)
    running = asyncio.create_task(again.run(clip("goodbye.wav", 1)))
    await asyncio.wait_for(again.started.wait(), 5)
    assert again.told[0]["resumed"] is True
    assert await talking.call.wait_heard(clip("goodbye.wav", 1)) >= 0
    await again.tell(type="hangup")
    await asyncio.wait_for(running, 5)
    over = await live.rest("GET", f"/api/call/{talking.call_id}")
    assert over["end_reason"] == "agent_hangup"


async def test_an_agent_may_connect_while_the_call_rings(live):
    call, call_id = await live.dial()
    ringing = await live.rest("GET", f"/api/call/{call_id}")
    talk = Talk(ringing["audio"])
    running = asyncio.create_task(talk.run(clip("goodbye.wav", 1)))
    await live.rest("POST", f"/api/call/{call_id}/accept")
    await asyncio.wait_for(talk.started.wait(), 5)
    assert await call.wait_heard(clip("goodbye.wav", 1)) >= 0
    call.hangup()
    await asyncio.wait_for(running, 10)


@pytest.mark.last
async def test_an_unanswered_call_is_missed_after_a_minute_by_the_state_machine(
    live, running, unanswered
):
    owner, caller = unanswered
    printed, _ = await asyncio.to_thread(caller.communicate, timeout=75)
    report = json.loads(printed.splitlines()[-1])
    assert (report["answered"], report["ended_by"]) == (False, "far_end")
    # Rejected as busy by the last poll, or canceled by the deadline's execution before that.
    assert report["status"] in ("busy", "no-answer")
    (call,) = (await owner.rest("GET", "/api/calls?state=missed"))["calls"]
    assert call["end_reason"] == "ring_timeout"
    rang = instant_s(call["ended_at"]) - instant_s(call["created_at"])
    assert 60.0 <= rang <= 61.5
    layout = Layout(running.port_base, running.state_dir)
    history = await asyncio.to_thread(execution_states, layout, call["call_id"])
    assert history[-1] == "Missed"
    assert history[:2] == ["Ringing", "ExpireRing"]


def instant_s(text: str) -> float:
    from chalicelib.domain.instant import from_text

    return from_text(text) / 1000


def execution_states(layout: Layout, name: str) -> list[str]:
    """The states that an execution went through; waits for its end."""
    import time

    from local.environment import STATE_MACHINE_ARN

    client = aws.client(layout, "stepfunctions")
    arn = STATE_MACHINE_ARN.replace(":stateMachine:", ":execution:") + f":{name}"
    for _ in range(100):
        if client.describe_execution(executionArn=arn)["status"] != "RUNNING":
            break
        time.sleep(0.1)
    assert client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    events = client.get_execution_history(executionArn=arn)["events"]
    return [
        e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e
    ]
