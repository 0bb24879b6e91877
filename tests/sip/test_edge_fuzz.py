"""Tests 5,000 mutated messages at the edge, with the gateway behind it and a good call of each
trunk: nothing dies, no call is lost, nothing is left of those that are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import time

import pytest

from tests.sip.edge_fuzz import messages
from tests.sip.edge_fuzz_gateway import TRUNKS, Behind, Source
from tests.sip.edge_messages import reply, request, sdp, within, within_called
from tests.sip.edge_talkers import PUBLIC

COUNT = int(os.environ.get("EDGE_FUZZ", "5000"))
SEED = int(os.environ.get("EDGE_FUZZ_SEED", "20261122"))


GROWTH_KB = 4 * max(COUNT, 5000) // 2
"""The memory that the second half of the messages may cost the edge: no more than a leak of 4 kB a
message would. Without one it is 4 to 5 MB: its processes still come upon their largest message so
far, and its tables fill up. All calls are over whenever it is measured; transactions and what else
lasts half a minute is there both times. The gateway runs in the test's process, so its calls are
counted instead.
"""


@pytest.fixture
async def behind(tmp_path, speech, capfd, caplog):
    """The gateway behind its edge. Nothing must break in it."""
    behind = Behind(speech("caller"))
    try:
        await behind.begin(tmp_path / "edge.log")
        yield behind
    finally:
        await behind.end()
        said, errors = capfd.readouterr()
        print(said, errors)
    logged = [*caplog.get_records("setup"), *caplog.get_records("call")]
    # aiohttp's server is the application, whom a call may leave in the middle of a sentence.
    ours = [each for each in logged if each.name != "aiohttp.server"]
    assert not [each.getMessage() for each in ours if each.levelno >= logging.ERROR]
    assert "Traceback" not in errors
    assert '"level": "error"' not in errors


def bases(edge, port, contact, talker, ok):
    """Well-formed messages of every kind; some belong to the call that is up."""
    uri, text = edge.uri("+33123456789"), sdp("127.0.0.70")
    body = {"body": text}
    refer = ["Refer-To: <sip:+15550001@example.org>", "Referred-By: <sip:a@b>"]
    answer = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {PUBLIC}:{edge.port};branch=z9hG4bK-1.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK9;rport\r\n"
        "From: <sip:alice@trunk.example>;tag=1\r\nTo: <sip:x@y>;tag=2\r\nCall-ID: call-1\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.70>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )
    keys = {"body": "Signal=1\r\nDuration=100\r\n", "content_type": "application/dtmf-relay"}
    notify = ["Event: refer", "Subscription-State: active"]
    outcome = {"body": "SIP/2.0 200 OK\r\n", "content_type": "message/sipfrag"}
    return [
        *[request("INVITE", uri, talker, **body)] * 4,
        request("INVITE", uri, talker, extra=["X-Order: 4711", "User-to-User: 00"], **body),
        *[request("INVITE", contact, talker, **body)] * 6,
        request("INVITE", contact, talker),
        request("ACK", uri, talker, **body),
        request("CANCEL", contact, talker, drop=["Contact"]),
        request("OPTIONS", uri, talker),
        request("REGISTER", f"sip:{PUBLIC}", talker),
        request("REFER", contact, talker, extra=refer),
        request("MESSAGE", contact, talker, body="hello", content_type="text/plain"),
        request("NOTIFY", contact, talker, extra=notify),
        *[within("INVITE", ok, talker, cseq=2, **body)] * 2,
        within("ACK", ok, talker, cseq=1, **body),
        within("INFO", ok, talker, cseq=3, **keys),
        within("UPDATE", ok, talker, cseq=4, **body),
        within("PRACK", ok, talker, cseq=5, extra=["RAck: 1 1 INVITE"]),
        within("OPTIONS", ok, talker, cseq=6),
        within("REFER", ok, talker, cseq=7, extra=refer),
        within("NOTIFY", ok, talker, cseq=8, extra=notify, **outcome),
        answer,
        answer.replace("200 OK", "401 No").replace("CSeq: 1 INVITE", "CSeq: 1 REGISTER"),
    ]


def streams(behind, sources, known):
    """The messages of each source; half of them are about a call of either trunk."""
    for at, source in enumerate(sources):
        nth = at % len(known)
        contact = list(behind.carriers.values())[nth].contact
        made = bases(behind.edge, behind.port, contact, source, known[nth].ok)
        yield messages(COUNT, made, SEED + at)


async def fuzz(behind, sources, mutated, known, rng):
    """Half of the messages, and then what they brought up is over."""
    for number in range(COUNT // 2):
        at = rng.randrange(len(sources))
        sources[at].send(next(mutated[at]), behind.edge.public)
        if number % 20 == 0:
            await asyncio.sleep(0.02)
        if number % 250 == 249:
            for nth, source in enumerate(sources):
                source.hang_up(known[nth % len(known)].ok)
            assert behind.unharmed, f"broken by message {number} or just before"
    await asyncio.sleep(1)
    for nth, source in enumerate(sources):
        source.hang_up(known[nth % len(known)].ok)
    await behind.settle()


async def are_well(behind, good):
    """The calls that have been up all the while, and another one of each trunk."""
    callers = [*good, *[await behind.caller(trunk_id) for trunk_id in TRUNKS]]
    await asyncio.gather(*(caller.hears_itself() for caller in callers))
    for caller in callers:
        await caller.hangs_up()
    assert behind.unharmed


@pytest.mark.deep
async def test_no_mutated_message_takes_the_stack_down(behind):
    started_at = time.monotonic()
    good = [await behind.caller(trunk_id) for trunk_id in TRUNKS]
    # Others whose dialogs the mutated messages know; they may end.
    known = [await behind.caller(trunk_id, "+33199000002") for trunk_id in TRUNKS]
    behind.stay()
    sources = [Source(f"127.0.0.{host}") for host in (70, 71, 72, 10)]
    mutated = list(streams(behind, sources, known))
    rng = random.Random(SEED)
    await fuzz(behind, sources, mutated, known, rng)
    before = behind.kb()
    await fuzz(behind, sources, mutated, known, rng)
    after = behind.kb()
    answered = sum(source.answered for source in sources)
    took = time.monotonic() - started_at
    print(f"answered {answered}, kB before {before}, after {after}, {took:.1f} s, {behind.metrics}")
    assert answered > COUNT / 200, "the fuzz does not reach the stack"
    await are_well(behind, good)
    assert after - before < GROWTH_KB
    for source in sources:
        source.close()


async def invited(carrier, number):
    """The INVITE to that number; others may come late, of calls before it."""
    while True:
        invite = await asyncio.to_thread(carrier.expect, "INVITE", 10)
        if number in invite.first:
            return invite


def answers(carrier, invite):
    """Well-formed ones of every kind, by code."""
    return {
        code: reply(
            invite,
            code,
            contact=f"<sip:c@{carrier.at}>" if code < 300 else None,
            body=sdp(carrier.ip) if code in (183, 200) else "",
            extra=['Proxy-Authenticate: Digest realm="x", nonce="y"'] if code == 407 else [],
        )
        for code in (100, 180, 183, 200, 302, 407, 486)
    }


async def answer_badly(carrier, invite, seed, code):
    """A dozen broken answers, then a sound one; hangs up if it was 200."""
    good = answers(carrier, invite)
    # The edge knows its own transaction by the branch, so this stays.
    branch = re.search(r"branch=([^;\r]+)", invite["Via"])[1].encode()
    for raw in messages(12, list(good.values()), seed):
        carrier.send(re.sub(rb"z9hG4bK-[\w-]+", branch, raw, count=1), invite.source)
    await asyncio.sleep(0.05)
    carrier.send(good[code], invite.source)
    with contextlib.suppress(AssertionError):
        await asyncio.to_thread(carrier.expect, "ACK", 1)
    if code == 200:
        carrier.send(within_called("BYE", invite, carrier, cseq=1), invite.source)
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(carrier.expect, 200, 1)
    carrier.forget()


@pytest.mark.deep
async def test_no_mutated_answer_takes_the_stack_down(behind):
    """Carriers whose answers to our calls are broken."""
    good = [await behind.caller(trunk_id) for trunk_id in TRUNKS]
    behind.stay()

    async def dial(nth, trunk_id):
        carrier, rng = behind.carriers[trunk_id], random.Random(SEED + nth)
        for each in range(max(20, COUNT // 60) // len(TRUNKS)):
            number = f"+3319901{nth}{each:04d}"
            behind.dial(trunk_id, number)
            invite = await invited(carrier, number)
            seed = SEED + 100_000 * nth + each
            await answer_badly(carrier, invite, seed, rng.choice((200, 486)))
            assert behind.unharmed, number

    await asyncio.gather(*(dial(nth, trunk_id) for nth, trunk_id in enumerate(TRUNKS)))
    await behind.settle()
    print(f"kB {behind.kb()}, {behind.metrics}")
    await are_well(behind, good)
