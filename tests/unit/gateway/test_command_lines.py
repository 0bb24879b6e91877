"""Tests of `python -m gateway.caller` and `.callee`: output, recordings and exit codes."""

from __future__ import annotations

import asyncio
import json
import time
import wave

import numpy as np
import pytest

from common import g711
from gateway import callee, caller
from gateway.softphone import wav

TO, CALLEE = "+15551230000", "+15557770000"


@pytest.fixture
def stack(gateway, account, tmp_path):
    """A stack description, as the local stack writes it."""
    path = tmp_path / "stack.json"
    path.write_text(
        json.dumps(
            {
                "gateway_url": gateway.url,
                "provider_account_sid": account[0],
                "provider_auth_token": account[1],
            }
        )
    )
    return str(path)


@pytest.fixture
def run(stack, capsys):
    """Runs a command in a thread: (exit code, its JSON, its stderr)."""

    async def run_one(command, *arguments):
        code = await asyncio.to_thread(command.main, [*arguments, "--json", "--stack", stack])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else None, err

    return run_one


async def test_the_caller_speaks_records_and_reports(application, media, run, tone, tmp_path):
    application.on("/voice", f'<Pause/><Connect><Stream url="{media.url}/s"/></Connect>')
    question, answer = tone(440, 0.3), tone(700, 0.3)
    wav.write(tmp_path / "in.wav", question)

    async def serve():
        session = await media.accept()
        await session.hear(question)
        await session.say(answer)
        await session.mark("said")
        await session.next("mark")
        await session.ws.close()

    server = asyncio.create_task(serve())
    arguments = ["--to", TO, "--from", "+33600000001", "--forwarded-from", "+33100000000"]
    files = ["--audio", str(tmp_path / "in.wav"), "--record", str(tmp_path / "out.wav")]
    code, report, _ = await run(caller, *arguments, *files)
    await server
    assert code == 0
    assert report["to"] == TO
    assert report["from"] == "+33600000001"
    assert report["status"] == "completed"
    assert report["answered"] is True
    assert report["ended_by"] == "far_end"
    assert report["sip_code"] == 200
    assert report["rang_s"] == pytest.approx(1.0, abs=0.2)
    assert 300 < report["first_audio_ms"] < 600
    assert abs(report["answered_at"] - time.time()) < 5
    assert report["first_audio_at"] == pytest.approx(
        report["answered_at"] + report["first_audio_ms"] / 1000, abs=0.01
    )
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.getparams()[:3] == (1, 2, 8000)
        pcm = file.readframes(file.getnframes())
    assert len(pcm) == report["recorded_ms"] * 16
    assert answer in g711.encode(pcm)
    at = g711.encode(pcm).find(answer)
    assert at / 8 == pytest.approx(report["first_audio_ms"], abs=60)
    assert not np.frombuffer(pcm[: at * 2], "<i2").any()
    post = await application.next("/voice")
    assert post.params["ForwardedFrom"] == "+33100000000"


async def test_the_caller_hangs_up_after_a_while_and_presses_keys(application, media, run):
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    task = asyncio.create_task(run(caller, "--to", TO, "--hangup-after", "0.6", "--dtmf", "1#@0.1"))
    session = await media.accept()
    assert [(await session.next("dtmf"))["dtmf"]["digit"] for _ in range(2)] == ["1", "#"]
    code, report, _ = await task
    assert code == 0
    assert report["ended_by"] == "caller"
    assert report["first_audio_ms"] is None
    assert report["first_audio_at"] is None
    assert report["duration_s"] == pytest.approx(0.6, abs=0.1)


async def test_a_rejected_call_returns_1_with_a_report(application, run):
    application.on("/voice", '<Reject reason="busy"/>')
    code, report, _ = await run(caller, "--to", TO)
    assert code == 1
    assert (report["status"], report["sip_code"]) == ("busy", 486)
    assert report["answered"] is False
    assert report["answered_at"] is None
    assert report["recorded_ms"] == 0


async def test_the_caller_can_hang_up_while_it_rings(application, run):
    application.on("/voice", '<Pause length="60"/>')
    code, report, _ = await run(caller, "--to", TO, "--give-up-after", "0.1")
    assert code == 1
    assert (report["status"], report["ended_by"]) == ("canceled", "caller")


async def test_the_callee_answers_a_call_and_records_it(
    application, gateway, account, run, tmp_path
):
    from gateway.calls.call import Call
    from gateway.calls.leg import Destination
    from gateway.calls.live_call import Plan
    from gateway.twiml.interpreter import Inline

    async def ring():
        party = {"to": CALLEE, "from_": "+15551230001"}
        while True:
            call = Call(
                account_sid=account[0], direction="outbound-api", created_at=time.time(), **party
            )
            plan = Plan(Inline("<Response><Pause/></Response>"))
            gateway.exchange.dial(call, plan, Destination(**party))
            await asyncio.sleep(0.05)
            if call.status != "failed":
                return

    ringing = asyncio.create_task(ring())
    code, report, _ = await run(
        callee, "--number", CALLEE, "--accept-after", "0.1", "--record", str(tmp_path / "o.wav")
    )
    await ringing
    assert code == 0
    assert (report["status"], report["ended_by"]) == ("completed", "far_end")
    assert report["recorded_ms"] == pytest.approx(1000, abs=80)
    assert len(wav.read(tmp_path / "o.wav")) == report["recorded_ms"] * 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--audio", "nowhere.wav"], "nowhere.wav"),
        (["--record", "/nowhere/at/all.wav"], "does not exist"),
        (["--dtmf", "hello"], "not of the form"),
        (["--gateway", "http://127.0.0.1:1"], "needs --account-sid"),
        (
            ["--gateway", "http://127.0.0.1:1", "--account-sid", "AC", "--auth-token", "x"],
            "cannot reach the gateway",
        ),
        (["--account-sid", "AC00"], "refused the call: 401"),
        (["--carrier"], "has no carrier_url"),
    ],
)
async def test_wrong_arguments_are_reported_in_one_sentence(run, arguments, says):
    code, report, err = await run(caller, "--to", TO, *arguments)
    assert code == 2
    assert report is None
    assert says in err
    assert "Traceback" not in err


async def test_a_missing_stack_is_reported_in_one_sentence(capsys, tmp_path):
    code = await asyncio.to_thread(
        caller.main, ["--to", TO, "--stack", str(tmp_path / "none.json")]
    )
    assert code == 2
    assert "is the stack running?" in capsys.readouterr().err
