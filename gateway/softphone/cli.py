"""The common part of the softphone's two command lines: options, look-up of the stack, report."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal

from gateway.media.playout_queue import FRAME
from gateway.softphone import wav
from gateway.softphone.phone import PhoneCall, Softphone, SoftphoneError

FRAME_MS = 20
_DTMF_GAP = 0.2


class UsageError(Exception):
    """The command cannot be carried out; a sentence for people. Exit code 2."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of both commands."""
    parser.add_argument("--audio", type=Path, help="WAV to speak once answered (8 kHz mono)")
    parser.add_argument("--record", type=Path, help="WAV to write: what was heard since the answer")
    parser.add_argument("--json", action="store_true", help="one JSON object as last line")
    parser.add_argument("--hangup-after", type=float, metavar="S", help="S seconds after answer")
    parser.add_argument(
        "--dtmf", metavar="KEYS@S", action="append", default=[],
        help="press keys S seconds after answer; may be given several times",
    )  # fmt: skip
    parser.add_argument("--stack", type=Path, default=Path(".local/stack.json"))
    parser.add_argument("--gateway", metavar="URL", help="instead of --stack")
    parser.add_argument("--account-sid")
    parser.add_argument("--auth-token")


def phone(options: argparse.Namespace, urls: Sequence[str] = ("gateway_url",)) -> Softphone:
    """Return a phone on the gateway that the options name, or where the first of `urls` that the
    stack's description has leads. Raises UsageError if there is none."""
    if options.gateway:
        if not options.account_sid or not options.auth_token:
            raise UsageError("--gateway needs --account-sid and --auth-token")
        return Softphone(options.gateway, options.account_sid, options.auth_token)
    try:
        stack = json.loads(options.stack.read_text())
        known = [stack[name] for name in urls if name in stack]
        if not known:
            raise UsageError(f"{options.stack} has no {urls[-1]}")
        return Softphone(
            known[0],
            options.account_sid or stack["provider_account_sid"],
            options.auth_token or stack["provider_auth_token"],
        )
    except FileNotFoundError:
        raise UsageError(f"{options.stack} does not exist: is the stack running?") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{options.stack} is no stack description: {error!r}") from None


def speech(options: argparse.Namespace) -> bytes:
    """Return the audio to speak, as mu-law. Raises UsageError if the file does not fit."""
    if options.record and not options.record.resolve().parent.is_dir():
        raise UsageError(f"the folder of {options.record} does not exist")
    if options.audio is None:
        return b""
    try:
        return wav.read(options.audio)
    except (OSError, ValueError) as error:
        raise UsageError(f"--audio: {error}") from None


def keys(options: argparse.Namespace) -> list[tuple[str, float]]:
    """Return each `12#@3.0` as ("12#", 3.0). Raises UsageError if one is not of that form."""
    return [_keys(given) for given in options.dtmf]


def _keys(given: str) -> tuple[str, float]:
    digits, _, when = given.partition("@")
    try:
        seconds = float(when or 0)
    except ValueError:
        seconds = -1.0
    if not digits or set(digits) - set("0123456789*#ABCD") or seconds < 0:
        raise UsageError(f"--dtmf {given!r} is not of the form 12#@3.0")
    return digits, seconds


async def talk(call: PhoneCall, options: argparse.Namespace) -> None:
    """Run an answered call to its end: speak, press keys, hang up in time."""
    say(f"answered ({call.call_sid})")
    tasks = [asyncio.create_task(call.play(speech(options)))]
    tasks += [asyncio.create_task(_press(call, *pressed)) for pressed in keys(options)]
    try:
        async with asyncio.timeout(options.hangup_after):
            await call.ended.wait()
    except TimeoutError:
        call.hangup()
        await call.ended.wait()
    finally:
        for task in tasks:
            task.cancel()


async def _press(call: PhoneCall, digits: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    for digit in digits:
        call.dtmf(digit)
        await asyncio.sleep(_DTMF_GAP)


def report(call: PhoneCall, options: argparse.Namespace, role: Literal["caller", "callee"]) -> int:
    """Write the recording and the report of an ended call. Return the exit code."""
    if options.record and call.answered.is_set():
        wav.write(options.record, call.audio())
    summary = _summary(call, role)
    if summary["answered"]:
        say(f"ended: {summary['status']} by {summary['ended_by']} after {summary['duration_s']} s")
    else:
        status, by = f"{summary['status']} (SIP {summary['sip_code']})", summary["ended_by"]
        say(f"not answered: {status} by {by}, rang {summary['rang_s']} s")
        if options.record:
            say(f"nothing to record: {options.record} was not written")
    if options.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    if call.answered.is_set():
        return 0
    return 2 if call.ending is not None and call.ending.sip_code == 0 else 1


def _summary(call: PhoneCall, role: str) -> dict[str, Any]:
    first, at = call.first_audio(), call.answered_at
    ending, ended_at = call.ending, call.ended_at or call.placed_at
    offset = first.at - at if first is not None and at is not None else None
    epoch = call.answered_epoch
    return {
        "call_sid": call.call_sid,
        "to": call.to,
        "from": call.from_,
        "status": ending.status if ending else None,
        "rang_s": round((at or ended_at) - (call.ringing_at or ended_at), 3),
        "answered": call.answered.is_set(),
        "answered_at": round(epoch, 3) if epoch is not None else None,
        "first_audio_ms": round(offset * 1000, 1) if offset is not None else None,
        "first_audio_at": round(epoch + offset, 3) if epoch and offset is not None else None,
        "duration_s": round(ended_at - at, 3) if at is not None else 0.0,
        "ended_by": role if call.hung_up else "far_end",
        "sip_code": ending.sip_code if ending else None,
        "reason": ending.reason if ending else None,
        "recorded_ms": sum(len(heard.frame) for heard in call.received) * FRAME_MS // FRAME,
    }


def say(text: str) -> None:
    """Print progress, for people."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(command: Coroutine[Any, Any, int]) -> int:
    """Run a command; turn its expected failures into a sentence and exit code 2."""
    try:
        return asyncio.run(command)
    except (UsageError, SoftphoneError) as error:
        say(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted")
    return 2
