"""When something is sent again, and when it is given up (RFC 3261 17, table 4)."""

from __future__ import annotations

import pytest

from gateway.sip.syntax.message import respond
from tests.unit.sip.transaction.scene import FLOWS, TCP, UDP, request

DOUBLED = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
DOUBLED_TO_T2 = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_timer_a_sends_an_invite_again_and_timer_b_gives_it_up(scene):
    scene.send(request())
    scene.run_to(100)
    assert scene.times("INVITE") == DOUBLED
    assert scene.told == ["no answer at 32"]
    assert scene.empty


def test_timer_e_sends_another_request_again_and_timer_f_gives_it_up(scene):
    scene.send(request("OPTIONS"))
    scene.run_to(100)
    assert scene.times("OPTIONS") == DOUBLED_TO_T2
    assert scene.told == ["no answer at 32"]
    assert scene.empty


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_over_tcp_nothing_is_sent_again_but_it_is_given_up(scene, method):
    scene.send(request(method), TCP)
    scene.run_to(100)
    assert scene.times(method) == [0]
    assert scene.told == ["no answer at 32"]
    assert scene.empty


def test_once_something_provisional_has_come_timer_e_waits_t2(scene):
    options = scene.send(request("OPTIONS"))
    scene.run_to(0.6)
    scene.get(options, 100)
    scene.run_to(0.7)
    scene.get(options, 100)
    scene.run_to(100)
    assert scene.times("OPTIONS") == [0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert scene.told == ["100", "100", "no answer at 32"]


def test_something_provisional_over_tcp_has_nothing_sent_again(scene):
    options = scene.send(request("OPTIONS"), TCP)
    scene.get(options, 100)
    scene.run_to(100)
    assert scene.times("OPTIONS") == [0]


def test_an_invite_that_rings_is_not_sent_again_and_not_given_up(scene):
    invite = scene.send(request())
    scene.run_to(0.4)
    scene.get(invite, 180)
    scene.run_to(1000)
    assert scene.times("INVITE") == [0]
    assert scene.told == ["180"]


def test_an_invite_that_was_cancelled_is_given_up_after_64_t1(scene):
    invite = scene.send(request())
    scene.get(invite, 180)
    scene.run_to(60)
    invite.expect_end(scene.now)
    scene.run_to(1000)
    assert scene.told == ["180", "no answer at 92"]
    assert scene.empty


def test_the_end_is_expected_in_vain_of_what_has_ended(scene):
    invite = scene.send(request())
    scene.get(invite, 486)
    invite.expect_end(scene.now)
    scene.run_to(1000)
    assert scene.told == ["486"]
    assert scene.empty


@pytest.mark.parametrize(
    ("method", "status", "flow", "seconds"),
    [
        ("INVITE", 486, UDP, 32),  # timer D
        ("INVITE", 486, TCP, 0),
        ("INVITE", 200, UDP, 32),  # timer M
        ("INVITE", 200, TCP, 32),
        ("OPTIONS", 200, UDP, 5),  # timer K
        ("OPTIONS", 486, UDP, 5),
        ("OPTIONS", 200, TCP, 0),
    ],
)
def test_a_request_of_ours_is_held_for_what_is_still_on_its_way(
    scene, method, status, flow, seconds
):
    transaction = scene.send(request(method), flow)
    scene.get(transaction, status)
    if seconds:
        scene.run_to(seconds - 0.01)
        assert scene.layer.clients
    scene.run_to(seconds)
    assert scene.empty
    assert scene.told == [str(status)]


def test_timer_g_sends_a_refusal_again_and_timer_h_gives_it_up(scene):
    scene.receive(request())
    scene.answer(scene.requests[0], 486)
    scene.run_to(100)
    assert scene.times(486) == DOUBLED_TO_T2
    assert scene.told == ["request INVITE", "no ACK at 32"]
    assert scene.empty


def test_over_tcp_a_refusal_is_sent_once_and_the_ack_awaited(scene):
    scene.receive(request(), TCP)
    scene.answer(scene.requests[0], 486)
    scene.run_to(100)
    assert scene.times(486) == [0]
    assert scene.told[-1] == "no ACK at 32"
    assert scene.empty


@pytest.mark.parametrize(("flow", "seconds"), [(UDP, 5), (TCP, 0)])
def test_timer_i_absorbs_acks_that_come_again(scene, flow, seconds):
    scene.receive(request(), flow)
    scene.answer(scene.requests[0], 486)
    scene.run_to(0.1)
    scene.receive(request("ACK"), flow)
    scene.receive(request("ACK"), flow)
    if seconds:
        scene.run_to(0.1 + seconds - 0.01)
        assert scene.layer.servers
    scene.run_to(0.1 + seconds)
    assert scene.empty
    assert scene.told == ["request INVITE"]
    assert scene.times(486) == [0]


@pytest.mark.parametrize(
    ("method", "flow", "seconds"),
    [("INVITE", UDP, 32), ("INVITE", TCP, 32), ("OPTIONS", UDP, 32), ("OPTIONS", TCP, 0)],
)
def test_timers_l_and_j_hold_what_was_answered(scene, method, flow, seconds):
    scene.receive(request(method), flow)
    scene.answer(scene.requests[0], 200)
    if seconds:
        scene.run_to(seconds - 0.01)
        assert scene.layer.servers
    scene.run_to(seconds)
    assert scene.empty
    assert scene.times(200) == [0]


@pytest.mark.parametrize("flow", FLOWS)
def test_an_invite_that_nobody_answers_is_answered_100_after_200_ms(scene, flow):
    scene.receive(request(), flow)
    scene.run_to(10)
    assert scene.times(100) == [0.2]
    assert scene.last().to.tag == ""
    scene.receive(request(), flow)
    assert scene.times(100) == [0.2, 10]


@pytest.mark.parametrize("status", [100, 180, 200, 486])
def test_an_invite_that_is_answered_at_once_needs_no_100(scene, status):
    scene.receive(request())
    scene.answer(scene.requests[0], status)
    scene.run_to(0.3)
    assert scene.times(status)[0] == 0
    assert scene.times(100) == ([0] if status == 100 else [])


def test_other_requests_get_no_100(scene):
    scene.receive(request("OPTIONS"))
    scene.run_to(10)
    assert scene.sent == []


def test_2xx_of_an_invite_are_all_told_and_then_those_that_stray(scene):
    invite = scene.send(request())
    scene.get(invite, 200, tag="fork1")
    scene.run_to(10)
    scene.get(invite, 200, tag="fork2")
    scene.run_to(40)
    scene.receive(respond(invite.request, 200, tag="fork3"))
    assert scene.told == ["200", "200", "stray 200"]
