"""Tests of the shares of processes: keys, ports, SIDs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from multidict import MultiDict

from common import call_ticket
from common.call_ticket import Ticket
from gateway.config import from_env
from gateway.front.environment import of_process
from gateway.front.routing import of_dial, of_socket
from gateway.share import Share, process_of
from gateway.sids import new_sid, process_of_call
from runtime.processors import MAX_PROCESSES, count_of

ENV = {
    "GATEWAY_ACCOUNT_SID": "AC" + "a" * 32,
    "GATEWAY_AUTH_TOKEN": "hush-hush",
    "GATEWAY_VOICE_URL": "http://app/voice",
    "GATEWAY_ID": "gateway-7",
}
SIP = {"GATEWAY_SIP_PORT": "5070", "GATEWAY_SIP_EDGE": "127.0.0.1:5060"}
FOLDER = Path("/tmp/gateway-x")


def environs(count, **more):
    given = {**ENV, "GATEWAY_PROCESSES": str(count), **more}
    config = from_env(given)
    return [of_process(given, config, number, FOLDER) for number in range(count)]


def test_every_key_belongs_to_exactly_one_process_and_all_processes_have_some():
    shares = [Share(index, 5) for index in range(5)]
    owners = [[share.owns(f"trunk_{number}") for share in shares] for number in range(500)]
    assert all(sum(each) == 1 for each in owners)
    assert all(sum(column) > 50 for column in zip(*owners, strict=True))


def test_a_share_is_written_as_people_count():
    assert Share.parse("2/4") == Share(1, 4)
    assert str(Share(1, 4)) == "2/4"


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/", "1/99", "a/b", "-1/4"])
def test_a_wrong_share_is_refused(text):
    with pytest.raises(ValueError, match="2/4"):
        Share.parse(text)


def test_the_number_of_processes_may_follow_the_processors():
    assert 1 <= count_of("auto") <= MAX_PROCESSES
    assert count_of("32") == 32


@pytest.mark.parametrize("text", ["0", "33", "-1", "two", "1.5", " 2"])
def test_a_wrong_number_of_processes_is_refused(text):
    with pytest.raises(
        ValueError, match="GATEWAY_PROCESSES must be a number from 1 to 32, or auto"
    ):
        from_env({**ENV, "GATEWAY_PROCESSES": text})


def test_several_processes_with_sip_need_the_edge():
    with pytest.raises(ValueError, match="GATEWAY_SIP_EDGE is not set"):
        from_env({**ENV, "GATEWAY_PROCESSES": "2", "GATEWAY_SIP_PORT": "5070"})


def test_each_process_has_ports_an_id_and_a_socket_of_its_own():
    configs = [from_env(each) for each in environs(3, **SIP)]
    assert [each.sip_port for each in configs] == [5070, 5071, 5072]
    assert [each.rtp_ports for each in configs] == [
        (10000, 13331), (13332, 16663), (16664, 19995),
    ]  # fmt: skip
    assert [each.gateway_id for each in configs] == ["gateway-7-1", "gateway-7-2", "gateway-7-3"]
    assert len({each.socket for each in configs}) == 3
    assert [each.share for each in configs] == [Share(0, 3), Share(1, 3), Share(2, 3)]
    assert {each.processes for each in configs} == {1}


def test_ports_of_an_odd_range_are_shared_out_in_even_numbers():
    first, second = (
        from_env(each).rtp_ports for each in environs(2, GATEWAY_RTP_PORTS="20000-20402")
    )
    assert (first, second) == ((20000, 20199), (20200, 20399))


def test_a_long_id_leaves_room_for_the_number():
    [_, last] = environs(2, GATEWAY_ID="x" * 64)
    assert last["GATEWAY_ID"] == "x" * 61 + "-2"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"GATEWAY_RTP_PORTS": "10000-10199"}, "GATEWAY_RTP_PORTS must be 300 ports or more"),
        ({**SIP, "GATEWAY_SIP_PORT": "65534"}, "GATEWAY_SIP_PORT leaves no ports for 3"),
    ],
)
def test_settings_that_leave_no_room_for_so_many_processes_are_named(more, named):
    with pytest.raises(ValueError, match=named):
        environs(3, **more)


def test_a_calls_sid_says_which_process_has_it():
    sids = {new_sid("CA", 17) for _ in range(100)}
    assert {process_of_call(sid) for sid in sids} == {17}
    assert len(sids) == 100
    assert all(len(sid) == 34 for sid in sids)
    assert process_of_call("CA12") is None
    assert process_of_call(new_sid("MZ", 1)) is None


def test_a_dial_belongs_to_its_trunk_or_else_to_the_called_party():
    assert of_dial(b"To=%2B33199001234&Byoc=trunk_a") == ("trunk_a", True)
    assert of_dial(b"To=%2B33199001234") == ("+33199001234", False)
    assert of_dial(b"To=sip%3Aalice%40host%3Bx%3Dy") == ("alice", False)
    assert of_dial(b"\xff" * 9) == ("", False)
    assert of_dial(b"&".join([b"a=b"] * 200)) == ("", False)


def test_a_party_that_waits_and_a_dial_to_it_meet_in_one_process():
    for registered in ("+33199001234", " 33199001234", "sip:+33199001234@host"):
        key = of_socket(MultiDict(number=registered))
        assert key == of_dial(b"To=%2B33199001234")[0]


def test_a_ticket_has_one_process_that_of_its_trunk_or_number():
    soon = int(time.time()) + 60
    of_trunk = [
        call_ticket.issue("s", Ticket("+33199001234", "client:a", "trunk_a", soon)) for _ in "12"
    ]
    assert {of_socket(MultiDict(ticket=each)) for each in of_trunk} == {"trunk_a"}
    without = call_ticket.issue("s", Ticket("+33199001234", "client:a", None, soon))
    assert of_socket(MultiDict(ticket=without)) == "+33199001234"


@pytest.mark.parametrize(
    "text", ["", "x", "W10.x", "e30.x", "Ww.x", "WzEsMiwzLDQsNV0.x", "\ud800.x"]
)
def test_anything_else_in_place_of_a_ticket_has_some_process(text):
    assert 0 <= process_of(of_socket(MultiDict(ticket=text or "-")), 3) < 3
