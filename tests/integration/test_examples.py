"""Tests that run the examples, unchanged, on a running stack."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import wave
from contextlib import asynccontextmanager

import numpy as np
import pytest

from gateway.softphone import wav
from local import listening
from tests.support.clips import AUDIO, WITHIN_S, clip, samples
from tests.support.engine import ROOT
from tests.support.ports import free_port

QUICKSTART = re.findall(
    r"```sh\n(.*?)```", (ROOT / "docs" / "quickstart.md").read_text(), re.DOTALL
)
SETTINGS = QUICKSTART[1]
STEPS = {
    "echo.py &\nsleep 2\npython -m gateway.caller --to": ["answered", "completed by caller"],
    "echo.mjs": ["waiting for calls", "answered", "completed by caller"],
    "call accept --quiet": ["\tringing\t", "agent_hangup", "completed by far_end"],
    "first_ringing": ['"state":"active"', '"state":"ended"'],
}


@pytest.mark.parametrize("step", STEPS)
def test_the_quickstart_works_as_printed(live, running, step, node_agent, tmp_path):
    (block,) = (one for one in QUICKSTART if step in one)
    script = f"{SETTINGS}\n{block}".replace(".local/", f"{running.state_dir}/")
    script = script.replace("npm install --no-save ws", ":")
    script = script.replace("examples/echo.mjs", str(node_agent))
    script = script.replace("heard.wav", str(tmp_path / "heard.wav"))
    stack = f"gateway.caller --stack {running.state_dir}/stack.json "
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", script.replace("gateway.caller ", stack)],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    printed = done.stdout + done.stderr
    assert all(text in printed for text in STEPS[step]), printed
    assert "Traceback" not in printed
    if "heard.wav" in block:
        # `chamade` begins to hear when it has been started; the caller talks at once.
        spoken = samples(wav.read(AUDIO / "caller.wav"))[8000 * 3 : 8000 * 6]
        assert listening.follow(spoken, heard_at_8000(tmp_path / "heard.wav")).share > 0.5


@pytest.mark.parametrize("program", ["dial.py", "answering_machine.py", "receptionist.py"])
def test_an_example_explains_how_to_run_it(program):
    asked = subprocess.run(
        [sys.executable, ROOT / "examples" / program, "--help"],
        capture_output=True, text=True, timeout=30, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
    )  # fmt: skip
    assert asked.stdout.startswith(f"usage: {program}")


def heard_at_8000(path):
    """A recording of a phone (8 kHz) or of `chamade` (16 kHz)."""
    with wave.open(str(path)) as file:
        step = file.getframerate() // 8000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[::step]


@asynccontextmanager
async def example(live, program, *args, **env):
    """The program, ready; its output as it comes."""
    interpreter = "node" if str(program).endswith(".mjs") else sys.executable
    process = await asyncio.create_subprocess_exec(
        interpreter, ROOT / "examples" / program, *args,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "CHAMADE_API_URL": live.stack["api_url"],
            "CHAMADE_API_KEY": live.stack["api_key"],
            **env,
        },
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def said(process, text, within_s=WITHIN_S):
    """The lines up to the one with this text."""
    lines = []
    while not lines or text not in lines[-1]:
        line = await asyncio.wait_for(process.stdout.readline(), within_s)
        assert line, lines
        lines.append(line.decode())
    return lines


async def test_the_answering_machine_takes_a_message(live, tmp_path):
    async with example(live, "answering_machine.py", "--messages", str(tmp_path)) as machine:
        await said(machine, "waiting")
        call = await live.phone().place_call(live.number, from_="+33699999999")
        assert await asyncio.wait_for(call.wait_answered(), WITHIN_S)
        await call.wait_heard(wav.read(AUDIO / "greeting.wav")[:8000])
        await call.play(wav.read(AUDIO / "caller.wav"))  # talks over the greeting
        await asyncio.wait_for(call.ended.wait(), 20)
        lines = await said(machine, "message saved")
    assert any("interrupts the greeting" in line for line in lines)
    (message,) = tmp_path.glob("*+33699999999*.wav")
    spoken = samples(wav.read(AUDIO / "caller.wav"))
    assert listening.find(spoken, samples(wav.read(message))).heard
    assert listening.find(samples(wav.read(AUDIO / "goodbye.wav")), samples(call.audio())).heard


@pytest.mark.deep
async def test_an_answering_machine_that_is_started_again_goes_on_and_greets_nobody_twice(
    live, tmp_path
):
    async with example(live, "answering_machine.py", "--messages", str(tmp_path)) as machine:
        await said(machine, "waiting")
        call = await live.phone().place_call(live.number, from_="+33699999998")
        await said(machine, "+33699999998")
        await call.wait_heard(wav.read(AUDIO / "greeting.wav")[:800])
        machine.kill()
        await machine.wait()
    async with example(live, "answering_machine.py", "--messages", str(tmp_path)) as machine:
        await said(machine, "+33699999998")
        await asyncio.wait_for(call.ended.wait(), 30)
        await said(machine, "message saved")
    heard = call.audio()
    assert wav.read(AUDIO / "goodbye.wav")[4000:6000] in heard
    assert heard.count(wav.read(AUDIO / "greeting.wav")[4000:6000]) == 1


@pytest.mark.deep
async def test_a_key_ends_the_message_and_a_hang_up_keeps_it(live, tmp_path):
    async with example(live, "answering_machine.py", "--messages", str(tmp_path)) as machine:
        await said(machine, "waiting")
        pressing = await live.phone().place_call(live.number, from_="+33699999991")
        leaving = await live.phone().place_call(live.number, from_="+33699999992")
        for call in (pressing, leaving):
            assert await asyncio.wait_for(call.wait_answered(), WITHIN_S)
            await call.wait_heard(wav.read(AUDIO / "greeting.wav")[:4000])
            await call.play(clip("caller.wav", 2))
        pressing.dtmf("#")
        leaving.hangup()
        await asyncio.wait_for(pressing.ended.wait(), WITHIN_S)
        assert not pressing.hung_up
        await said(machine, "message saved")
        await said(machine, "message saved")
    goodbye = samples(wav.read(AUDIO / "goodbye.wav"))
    assert listening.find(goodbye, samples(pressing.audio())).heard
    for message in tmp_path.iterdir():
        assert listening.find(samples(clip("caller.wav", 2)), samples(wav.read(message))).heard
    assert len(list(tmp_path.iterdir())) == 2


async def echoes(call, name="caller.wav"):
    """Wait until a phone hears two seconds of speech that it says from now on."""
    speech = clip(name, 2)
    heard_before, share = len(call.audio()), 0.0
    async with asyncio.timeout(30):
        while share < 0.95:  # an echo has no cushion: on a busy machine it has gaps
            assert not call.ended.is_set()
            await call.play(speech)
            await call.wait_frames(len(call.received) + 25)
            audio = samples(call.audio()[heard_before:])
            share = listening.follow(samples(speech), audio).share


async def test_the_echo_agent_echoes(live):
    async with example(live, "echo.py") as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        assert await asyncio.wait_for(call.wait_answered(), WITHIN_S)
        while call.first_audio() is None:  # until the agent is on the line
            await call.play(clip("goodbye.wav", 0.2))
        await echoes(call)
        call.hangup()
        await call.ended.wait()


async def test_an_example_without_a_stack_explains_how_to_start_one(live):
    env = {"CHAMADE_API_URL": "", "CHAMADE_API_KEY": "", "PYTHONPATH": str(ROOT / "client")}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(ROOT / "examples/answering_machine.py")],
        cwd=AUDIO, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "CHAMADE_API_URL is not set" in done.stderr


@pytest.fixture
def hook(live):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    made = live.rest.now("POST", "/api/webhooks", {"url": url, "events": ["call.*"]})
    yield port, made["secret"]
    live.rest.now("DELETE", f"/api/webhooks/{made['endpoint_id']}")


async def test_the_webhook_receiver_answers_calls(live, hook):
    port, secret = hook
    async with example(live, "webhook_receiver.py", str(port), WEBHOOK_SECRET=secret) as receiver:
        await listens(port)
        call, call_id = await live.dial()
        assert await asyncio.wait_for(call.wait_answered(), WITHIN_S)
        await said(receiver, f"call.answered {call_id}")
        call.hangup()
        await said(receiver, f"call.ended {call_id}")


async def test_the_webhook_receiver_refuses_unsigned_posts(live, hook):
    port, _ = hook
    wrong = "whsec_" + "A" * 44
    async with example(live, "webhook_receiver.py", str(port), WEBHOOK_SECRET=wrong):
        await listens(port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nwebhook-id: a\r\n\r\n{}")
        answer = await asyncio.wait_for(reader.readline(), WITHIN_S)
        writer.close()
    assert b" 401 " in answer


async def listens(port: int) -> None:
    """Until somebody does."""
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(port)


async def test_the_curl_functions_take_a_call(live, running):
    call, call_id = await live.dial()
    script = f"""
        . {running.state_dir}/env && . examples/curl.sh
        numbers && accept {call_id} && wait_for_events && leave {call_id}
    """
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", script],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    numbers, accepted, events, left = done.stdout.splitlines()
    assert live.number in numbers
    assert '"state":"active"' in accepted
    assert '"type":"number.activated"' in events
    assert '"state":"ended"' in left
    await asyncio.wait_for(call.ended.wait(), WITHIN_S)
