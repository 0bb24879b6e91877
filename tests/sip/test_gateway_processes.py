"""Tests of a front with two gateway processes behind the real edge: trunks of both register, calls
go in and out, and a process that is killed takes nothing with it but its own calls.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.share import process_of
from gateway.sids import process_of_call
from tests.sip.edge_messages import reply, request, sdp
from tests.sip.edge_talkers import Talker
from tests.sip.front_support import DIDS, TRUNKS, USERS, Talking, kill, runs, setting
from tests.sip.peers import HOST, Sipp
from tests.sip.support import CALLED, until

BACK_WITHIN_S = 5.0
HOLE_S = 0.1
FRAME_S = 0.02


class Registrar(Talker):
    """Grants every registration."""

    def answer_to(self, message):
        if message.method != "REGISTER":
            return super().answer_to(message)
        contact = message["Contact"].partition(">")[0] + ">;expires=300"
        return reply(message, 200, extra=[f"Contact: {contact}"])


@pytest.fixture
async def both(tmp_path):
    """Two processes with a registered trunk each."""
    async with setting(tmp_path) as found:
        yield found


@pytest.fixture
def talking(both, up, speech):
    """`call = await talking(number)`: a caller of that process's trunk who hears itself."""
    calls = []

    async def begin(number):
        known = set(both.application.sids)
        call = Talking(await up(both.caller(number, within_s=60)), speech("caller"))
        calls.append(call)
        await call.hears_itself()
        return call, await both.new_sid(known)

    yield begin
    for call in calls:
        call.stop()


async def test_each_process_registers_its_trunks_and_the_list_has_all_of_them(both):
    shown = await both.front.trunks()
    assert {each["trunk_id"]: each["status"] for each in shown} == dict.fromkeys(
        TRUNKS, "registered"
    )
    for number, user in enumerate(USERS):
        [contact] = (await both.carrier.registered())[user]
        assert contact
        assert process_of(TRUNKS[number], 2) == number


async def test_calls_of_both_processes_are_carried_in_and_out_and_found_by_their_sid(
    both, up, talking, speech
):
    calls = [await talking(number) for number in range(2)]
    assert [process_of_call(sid) for _, sid in calls] == [0, 1]
    for number in range(2):
        called = await up(Sipp.uas("answers"))
        await both.carrier.route(CALLED, called.address)
        status, dialled = await both.front.dial(TRUNKS[number], CALLED, both.echo())
        assert (status, process_of_call(dialled["sid"])) == (201, number)
        out = Talking(called, speech("greeting"))
        await out.hears_itself()
        out.stop()
        assert (await both.front.call(dialled["sid"]))[1]["status"] == "in-progress"
    for _, sid in calls:
        assert (await both.front.call(sid))[1]["direction"] == "inbound"


async def test_a_killed_process_is_back_in_five_seconds_and_calls_of_the_other_go_on(
    both, up, talking
):
    lost, lost_sid = await talking(0)
    kept, kept_sid = await talking(1)
    began = time.monotonic()
    await kept.hears_itself()
    registered = len(both.carrier.registrations(USERS[0]))
    killed_at, since = time.time(), time.monotonic()
    kill(await both.front.pid(0))

    await until(lambda: not both.front.dead and "started again" in both.front.said())
    asked_at = time.monotonic()
    assert (await both.front.call(lost_sid))[0] == 404
    assert time.monotonic() - asked_at < 1
    *_, again = await both.carrier.registers(USERS[0], count=registered + 1)
    back_s = again.at - killed_at
    lost.stop()
    await kept.hears_itself()
    hole_s = kept.longest_hole_s(since, time.monotonic())
    usual_s = kept.longest_hole_s(began, since)
    late_s = await both.front.lag_s(1)
    print(
        f"registered {back_s:.2f} s after the kill; the other's longest hole {hole_s:.3f} s, "
        f"{usual_s:.3f} s before; its audio {late_s:.3f} s late"
    )
    assert back_s < BACK_WITHIN_S
    assert kept.lost() == 0
    # A busy machine may hold up this process, too, and not only the gateway's.
    assert min(hole_s, late_s + FRAME_S) < max(HOLE_S, 2 * usual_s)
    assert (await both.front.call(kept_sid))[1]["status"] == "in-progress"

    # A new call of the killed one's trunk, in and out.
    known = set(both.application.sids)
    caller = await up(both.caller(0, "hangs_up", talk_ms=200))
    await caller.finished()
    assert process_of_call(await both.new_sid(known)) == 0
    called = await up(Sipp.uas("hangs_up"))
    await both.carrier.route(CALLED, called.address)
    status, _ = await both.front.dial(TRUNKS[0], CALLED, both.echo())
    assert status == 201
    await called.finished()
    assert (await both.front.processes())[0]["restarts"] == 1


async def test_a_dial_whose_process_is_down_goes_out_by_the_other_one_once(both, up):
    called = await up(Sipp.uas("hangs_up"))
    await both.carrier.route(CALLED, called.address)
    kill(await both.front.pid(0))
    await until(lambda: "started again" in both.front.said())
    status, dialled = await both.front.dial(TRUNKS[0], CALLED, both.echo())
    assert (status, process_of_call(dialled["sid"])) == (201, 1)
    await called.finished()
    routed = [one for one in both.carrier.requests("INVITE") if one.answer == "routed"]
    assert len(routed) == 1


async def test_the_processes_of_a_killed_front_hang_up_and_end(both, talking):
    call, _ = await talking(1)
    pids = [await both.front.pid(number) for number in range(2)]
    kill(both.front.process.pid)
    await call.peer.receives("BYE")
    call.stop()
    await until(lambda: not any(map(runs, pids)))


async def test_sigterm_ends_all_calls_and_all_processes_with_status_0(both, talking):
    call, _ = await talking(0)
    pids = [await both.front.pid(number) for number in range(2)]
    both.front.process.terminate()
    await call.peer.receives("BYE")
    call.stop()
    assert await both.front.ended(15) == 0
    assert not any(map(runs, pids))


async def test_a_call_that_names_no_contact_is_not_taken_by_a_neighbour_at_the_same_carrier(
    tmp_path,
):
    registrar = Registrar("127.0.0.11")
    try:
        async with setting(tmp_path, registrar) as both:
            called = both.edge.uri(DIDS[0])
            registrar.send(request("INVITE", called, registrar, body=sdp(HOST)), both.edge.public)
            await asyncio.to_thread(registrar.expect, 404)
            assert not both.application.sids
    finally:
        await asyncio.to_thread(registrar.close)
