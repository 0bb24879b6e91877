"""5,000 mutated messages at the edge, the real stack behind it, and a good call all the while."""

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.sip.edge_fuzz import messages
from tests.sip.edge_support import (
    PEER,
    PUBLIC,
    Edge,
    Talker,
    free_port,
    next_hop,
    private_kb,
    reply,
    request,
    sdp,
    within,
    within_called,
)

pytestmark = pytest.mark.skipif(
    not (shutil.which("kamailio") and find_spec("baresip")), reason="kamailio or baresip is missing"
)

COUNT = int(os.environ.get("EDGE_FUZZ", "5000"))
SEED = int(os.environ.get("EDGE_FUZZ_SEED", "20261122"))
GROWTH_KB = 10 * 1024


class Child:
    """The real stack, in a process of its own."""

    def __init__(self, port, edge, carrier, log):
        self.port = port
        self._log = log.open("ab")
        script = Path(__file__).with_name("edge_child.py")
        inside = f"127.0.0.1:{edge.inside[1]}"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(port), inside, carrier.at, "24000-25000"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        seen = carrier.expect("REGISTER", timeout=15)
        carrier.send(reply(seen, 200, extra=[f"Contact: {seen['Contact']}"]), seen.source)
        self.contact = re.search("<(.*?)>", seen["Contact"])[1]
        assert self.process.stdout.readline() == "up\n"

    def ask(self, line="calls"):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    @property
    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait(5)
        self._log.close()


@pytest.fixture
def scene(tmp_path):
    with contextlib.ExitStack() as stack:
        port = free_port()
        edge = Edge([f"127.0.0.1:{port}"], tmp_path / "edge.log")
        stack.callback(edge.stop)
        carrier = Talker(PEER)
        stack.callback(carrier.close)
        child = Child(port, edge, carrier, tmp_path / "child.log")
        stack.callback(child.stop)
        yield edge, child, carrier


def good_call(edge, child, user="+33123456789"):
    """An answered call of a peer's; -> (the peer, its 200)."""
    peer = Talker(PEER)
    deadline = time.monotonic() + 10
    while True:
        peer.send(request("INVITE", edge.uri(user), peer, body=sdp(peer.ip)), edge.public)
        with contextlib.suppress(AssertionError):
            ok = peer.expect(200, timeout=3)
            break
        assert child.alive
        assert time.monotonic() < deadline, [m.first for m in peer.everything]
    ack = within("ACK", ok, peer, cseq=1)
    peer.send(ack, next_hop(ack))
    return peer, ok


def goodbye(peer, ok):
    bye = within("BYE", ok, peer, cseq=2)
    peer.send(bye, next_hop(bye))
    peer.expect(200, timeout=3)
    peer.close()


def bases(edge, child, talker, ok):
    """Well-formed messages of every kind; some belong to the call that is up."""
    uri, text = edge.uri("+33123456789"), sdp("127.0.0.70")
    body = {"body": text}
    refer = ["Refer-To: <sip:+15550001@example.org>", "Referred-By: <sip:a@b>"]
    answer = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {PUBLIC}:{edge.port};branch=z9hG4bK-1.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{child.port};branch=z9hG4bK9;rport\r\n"
        "From: <sip:alice@trunk.example>;tag=1\r\nTo: <sip:x@y>;tag=2\r\nCall-ID: call-1\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.70>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )
    return [
        *[request("INVITE", uri, talker, **body)] * 4,
        *[request("INVITE", child.contact, talker, **body)] * 6,
        request("INVITE", child.contact, talker),
        request("ACK", uri, talker, **body),
        request("CANCEL", child.contact, talker, drop=["Contact"]),
        request("OPTIONS", uri, talker),
        request("REGISTER", f"sip:{PUBLIC}", talker),
        request("REFER", child.contact, talker, extra=refer),
        request("MESSAGE", child.contact, talker, body="hello", content_type="text/plain"),
        request(
            "NOTIFY", child.contact, talker, extra=["Event: refer", "Subscription-State: active"]
        ),
        *[within("INVITE", ok, talker, cseq=2, **body)] * 2,
        within("ACK", ok, talker, cseq=1, **body),
        within(
            "INFO",
            ok,
            talker,
            cseq=3,
            body="Signal=1\r\nDuration=100\r\n",
            content_type="application/dtmf-relay",
        ),
        within("UPDATE", ok, talker, cseq=4, **body),
        within("PRACK", ok, talker, cseq=5, extra=["RAck: 1 1 INVITE"]),
        within("OPTIONS", ok, talker, cseq=6),
        within("REFER", ok, talker, cseq=7, extra=refer),
        answer,
        answer.replace("200 OK", "401 No").replace("CSeq: 1 INVITE", "CSeq: 1 REGISTER"),
    ]


def hang_up_the_rest(talker, seen):
    """Ends what the mutated INVITEs brought up, as a decent caller would."""
    for message in talker.everything[seen:]:
        if message.status != 200 or not message.all("CSeq") or "INVITE" not in message["CSeq"]:
            continue
        with contextlib.suppress(Exception):
            for method, cseq in (("ACK", 1), ("BYE", 3)):
                talker.send(
                    within(method, message, talker, cseq=cseq),
                    (PUBLIC, int(re.search(r":(\d+)", message["Contact"].partition("@")[2])[1])),
                )
    return len(talker.everything)


def test_no_mutated_message_takes_the_stack_down(scene):
    edge, child, _ = scene
    peer, ok = good_call(edge, child)
    # Another one whose dialog the mutated messages know.
    known, known_ok = good_call(edge, child)
    pid = child.process.pid
    sources = [Talker(f"127.0.0.{host}") for host in (70, 71, 72, 10)]
    made = [bases(edge, child, source, known_ok) for source in sources]
    rng = random.Random(SEED)
    before = None
    streams = [messages(COUNT, base, SEED + at) for at, base in enumerate(made)]
    seen = [0] * len(sources)
    for number in range(COUNT):
        at = rng.randrange(len(sources))
        sources[at].send(next(streams[at]), edge.public)
        if number % 20 == 0:
            time.sleep(0.02)
        if number % 250 == 249:
            seen = [hang_up_the_rest(s, n) for s, n in zip(sources, seen, strict=True)]
            assert child.alive, f"died by message {number} or just before"
            assert edge.process.poll() is None
        if number == COUNT // 2:
            before = (private_kb(edge.pids()), private_kb([pid]))
    time.sleep(4)
    for source, n in zip(sources, seen, strict=True):
        hang_up_the_rest(source, n)
    time.sleep(1)
    after = (private_kb(edge.pids()), private_kb([pid]))
    answered = sum(m.status == 200 and "INVITE" in m["CSeq"] for s in sources for m in s.everything)
    print(f"answered {answered}, kB before {before}, after {after}, {child.ask()}")
    assert answered > COUNT / 200, "the fuzz does not reach the stack"
    again, second = good_call(edge, child)
    goodbye(again, second)
    goodbye(peer, ok)
    assert child.alive
    assert child.process.pid == pid
    assert after[0] - before[0] < GROWTH_KB
    assert after[1] - before[1] < GROWTH_KB
    assert "segfault" not in edge.text()
    for talker in (*sources, known):
        talker.close()


def test_no_mutated_answer_takes_the_stack_down(scene):
    """A carrier whose answers to our calls are broken."""
    edge, child, carrier = scene
    rng = random.Random(SEED)
    for number in range(max(20, COUNT // 60)):
        assert child.ask("dial sip:+15550001@trunk.example") == "dialled"
        invite = carrier.expect("INVITE")
        good = {
            code: reply(
                invite,
                code,
                contact=f"<sip:c@{carrier.at}>" if code < 300 else None,
                body=sdp(carrier.ip) if code in (183, 200) else "",
                extra=['Proxy-Authenticate: Digest realm="x", nonce="y"'] if code == 407 else [],
            )
            for code in (100, 180, 183, 200, 302, 407, 486)
        }
        for raw in messages(12, list(good.values()), SEED + number):
            # The edge knows its own transaction by the branch, so this stays.
            branch = re.search(r"branch=([^;\r]+)", invite["Via"])[1]
            answer = re.sub(rb"z9hG4bK-[\w-]+", branch.encode(), raw, count=1)
            carrier.send(answer, invite.source)
        time.sleep(0.05)
        code = rng.choice((200, 486))
        carrier.send(good[code], invite.source)
        with contextlib.suppress(AssertionError):
            carrier.expect("ACK", timeout=1)
        if code == 200:
            carrier.send(within_called("BYE", invite, carrier, cseq=1), edge.public)
            with contextlib.suppress(AssertionError):
                carrier.expect(200, timeout=1)
        assert child.alive, number
        carrier.forget()
    again, second = good_call(edge, child)
    goodbye(again, second)
    assert child.alive
