"""Tests of a leg: audio and keys of two legs reach each other, whatever was agreed on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtp import packet as rtp
from gateway.rtp.g711 import FRAME, SILENT_FRAME, to_linear
from gateway.rtp.leg import Leg
from gateway.rtp.packet import Packet
from gateway.rtp.settings import Direction, Law, Settings
from gateway.rtp.srtp import Keys, Suite
from tests.unit.rtp.streams import numbered, tone
from tests.unit.rtp.wire import HERE, THERE, Wire

ONE, TWO = bytes(range(30)), bytes(range(50, 80))
SUITE = Suite.AES_CM_128_HMAC_SHA1_80


def both(**agreed):
    return Wire(Settings(THERE, **agreed), Settings(HERE, **agreed))


def packet(sequence, payload=b"\x10" * FRAME, ssrc=7, payload_type=0, timestamp=None):
    stamp = sequence * FRAME if timestamp is None else timestamp
    return rtp.serialise(Packet(payload_type, sequence & 0xFFFF, stamp, ssrc, payload))


def hear(leg, sequences, now, address=THERE, **what):
    """Have a leg hear packets 20 ms apart, and return what it plays."""
    frames = []
    leg.sink = frames.append
    for at, sequence in enumerate(sequences):
        leg.receive(packet(sequence, **what), address, now + at * 0.02)
        leg.tick(now + at * 0.02 + 0.01)
    return frames


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_mu_law_arrives_as_it_was_sent(ptime):
    wire = both(ptime=ptime)
    wire.here.says(numbered)
    wire.run(2)
    heard = b"".join(wire.there.heard)
    assert heard == numbered(0, len(heard))
    assert len(heard) > 1.85 * 8000
    sizes = {len(each.payload) for each in wire.here.packets()}
    assert sizes == {ptime * 8}


def test_a_law_arrives_within_its_tolerance():
    wire = both(payload_type=8, law=Law.ALAW)
    wire.here.says(lambda place, samples: tone(samples, start=place))
    wire.run(1)
    heard = to_linear(b"".join(wire.there.heard))
    sent = to_linear(tone(len(heard)))
    assert np.abs(heard - sent).max() <= 512  # a step of the loudest segment that it has
    assert {each.payload_type for each in wire.here.packets()} == {8}


@pytest.mark.parametrize("suite", Suite)
def test_srtp_arrives_as_it_was_sent(suite):
    one, two = ONE[: suite.key_bytes], TWO[: suite.key_bytes]
    wire = Wire(
        Settings(THERE, keys=Keys(suite, one, two)), Settings(HERE, keys=Keys(suite, two, one))
    )
    wire.here.says(numbered)
    wire.run(12)
    heard = b"".join(wire.there.heard)
    assert heard == numbered(0, len(heard))
    assert wire.here.leg.stats().round_trip is not None


def test_a_re_invite_with_the_same_keys_disturbs_nothing_and_plain_rtp_is_refused():
    ours, theirs = Keys(SUITE, ONE, TWO), Keys(SUITE, TWO, ONE)
    wire = Wire(Settings(THERE, keys=ours), Settings(HERE, keys=theirs))
    wire.here.says(numbered)
    wire.run(0.5)
    wire.here.leg.apply(Settings(THERE, keys=Keys(SUITE, ONE, TWO)), wire.now)
    wire.there.leg.receive(packet(1), HERE, wire.now)
    assert wire.there.leg.stats().invalid == 1
    wire.run(0.5)
    heard = b"".join(wire.there.heard)
    assert heard == numbered(0, len(heard))


def test_keys_are_heard_once_and_audio_goes_on_after_them():
    wire = both(event_type=101)
    wire.here.says(numbered)
    wire.run(0.2)
    assert wire.here.leg.press("5")
    assert wire.here.leg.press("#")
    wire.run(1)
    assert wire.there.keys == "5#"
    assert wire.there.leg.stats().lost == 0
    packets = wire.here.packets()
    events = [each for each in packets if each.payload_type == 101]
    assert len(events) == 14
    assert [each.marker for each in events].count(True) == 2
    assert [each.sequence for each in packets] == [
        packets[0].sequence + at & 0xFFFF for at in range(len(packets))
    ]
    after = packets[packets.index(events[-1]) + 1]
    assert after.marker
    assert after.timestamp - packets[0].timestamp & 0xFFFFFFFF == (10 + 16) * FRAME


def test_keys_wait_while_nothing_may_be_sent():
    wire = both(event_type=101)
    wire.here.leg.apply(Settings(None, event_type=101), wire.now)
    wire.here.leg.press("7")
    wire.run(0.5)
    assert wire.there.keys == ""
    wire.here.leg.apply(Settings(THERE, event_type=101), wire.now)
    wire.run(0.5)
    assert wire.there.keys == "7"


def test_keys_may_have_another_payload_type_each_way():
    wire = Wire(
        Settings(THERE, event_type=101, received_event_type=96), Settings(HERE, event_type=96)
    )
    wire.there.leg.press("1")
    wire.here.leg.press("2")
    wire.run(0.4)
    assert wire.here.keys == "1"
    assert wire.there.keys == ""
    assert wire.there.leg.stats().unknown == 7


def test_a_far_end_without_telephone_events_has_no_key_pressed():
    wire = both()
    assert not wire.here.leg.press("5")
    with pytest.raises(ValueError, match="no key"):
        wire.here.leg.press("x")


def test_a_talk_spurt_begins_with_a_marker_and_a_pause_moves_the_timestamp():
    wire = both(ptime=30)
    spoken = itertools.chain([numbered(0, FRAME)] * 5, [None] * 10, [numbered(0, FRAME)] * 5)
    wire.here.leg.source = lambda: next(spoken, None)
    wire.run(0.6)
    packets = wire.here.packets()
    stamps = [each.timestamp - packets[0].timestamp & 0xFFFFFFFF for each in packets]
    assert stamps == [0, 240, 480, 720, 2400, 2640, 2880, 3120]
    assert [at for at, each in enumerate(packets) if each.marker] == [0, 4]
    assert packets[3].payload[80:] == b"\xff" * 160  # filled up: nothing followed
    assert [each.sequence - packets[0].sequence & 0xFFFF for each in packets] == list(range(8))


def test_a_frame_of_the_wrong_length_is_refused():
    wire = both()
    wire.here.leg.source = lambda: b"short"
    with pytest.raises(ValueError, match="160 bytes"):
        wire.here.leg.tick(0.0)


@pytest.mark.parametrize("direction", [Direction.RECVONLY, Direction.INACTIVE])
def test_who_does_not_send_sends_nothing_but_reports(direction):
    wire = both(direction=direction)
    wire.here.says(numbered)
    wire.run(10)
    assert wire.here.packets() == []
    assert any(each.control for each in wire.here.sent)


def test_who_does_not_receive_hears_silence_from_then_on():
    wire = both()
    wire.here.says(numbered)
    wire.run(0.5)
    wire.there.leg.apply(Settings(HERE, direction=Direction.SENDONLY), wire.now)
    wire.there.heard.clear()
    wire.run(0.5)
    assert wire.there.heard[6:] == [SILENT_FRAME] * 19
    wire.there.leg.apply(Settings(HERE), wire.now)
    wire.run(0.5)
    assert SILENT_FRAME not in wire.there.heard[-20:]


def test_a_hold_by_the_address_of_nobody_stops_the_audio_and_its_end_brings_it_back():
    wire = both()
    wire.here.says(numbered)
    wire.run(0.2)
    wire.here.leg.apply(Settings(None), wire.now)
    before = len(wire.here.sent)
    wire.run(0.2)
    assert len(wire.here.sent) == before
    wire.here.leg.apply(Settings(THERE), wire.now)
    wire.run(0.2)
    assert len(wire.here.sent) == before + 10
    assert wire.here.packets()[before].marker


def test_silence_is_counted_from_the_last_packet_and_not_during_a_hold():
    leg = Leg()
    assert leg.silent_for(50.0) == 0
    leg.apply(Settings(THERE), 100.0)
    assert leg.silent_for(130.0) == 30
    leg.receive(packet(1), THERE, 131.0)
    assert leg.silent_for(133.0) == 2
    for held in (Direction.RECVONLY, Direction.SENDONLY, Direction.INACTIVE):
        leg.apply(Settings(THERE, direction=held), 140.0)
        assert leg.silent_for(200.0) == 0
    leg.apply(Settings(None), 200.0)
    assert leg.silent_for(300.0) == 0
    leg.apply(Settings(THERE), 300.0)
    assert leg.silent_for(304.0) == 4


def test_reports_are_a_sign_of_life():
    wire = both()
    wire.run(10)
    assert wire.here.leg.silent_for(wire.now) < 8
    assert wire.here.leg.stats().received == 0


def test_packets_of_strangers_are_neither_heard_nor_a_sign_of_life():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    hear(leg, range(20), 1.0, address=("198.51.100.7", 1))
    assert leg.stats().refused == 20
    assert leg.silent_for(5.0) == 5
    assert leg.latched is None


def test_with_latching_audio_goes_where_it_comes_from():
    leg = Leg()
    leg.apply(Settings(THERE, latching=True), 0.0)
    leg.source = lambda: SILENT_FRAME
    assert [each.address for each in leg.tick(0.0)] == [THERE]
    natted = ("203.0.113.9", 61000)
    hear(leg, range(3), 1.0, address=natted)
    assert leg.latched == natted
    assert leg.tick(2.0)[0].address == natted


def test_another_ssrc_is_heard_at_once_but_not_from_elsewhere():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    hear(leg, range(20), 1.0, ssrc=1, payload=b"\x10" * FRAME)
    other = b"\x30" * FRAME
    elsewhere = hear(leg, range(20), 1.4, address=("198.51.100.7", 1), ssrc=3, payload=other)
    assert other not in elsewhere
    after = hear(leg, range(30000, 30020), 1.8, ssrc=2, payload=b"\x20" * FRAME)
    assert after[-15:] == [b"\x20" * FRAME] * 15
    assert leg.stats().invalid == 0


def test_keys_of_another_ssrc_are_heard_though_its_timestamps_are_older():
    leg = Leg()
    leg.apply(Settings(THERE, event_type=101), 0.0)
    keys = []
    leg.on_key = keys.append
    for ssrc, timestamp in ((1, 50_000), (2, 20_000)):
        leg.receive(packet(1, b"\x05\x0a\0\xa0", ssrc, 101, timestamp), THERE, 1.0)
    assert keys == ["5", "5"]


@pytest.mark.parametrize("begin", [5, 20000, 41294])
def test_the_same_ssrc_with_another_numbering_goes_on(begin):
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    hear(leg, range(21000, 21020), 1.0)
    after = hear(leg, range(begin, begin + 50), 1.4, payload=b"\x20" * FRAME)
    assert after[-40:] == [b"\x20" * FRAME] * 40
    assert leg.stats().invalid == 1


def test_either_law_is_understood_whatever_was_agreed_on():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    heard = hear(leg, range(20), 1.0, payload=b"\xd5" * FRAME, payload_type=8)
    assert np.abs(to_linear(heard[-1])).max() <= 8


def test_a_dynamic_payload_type_has_the_law_that_was_agreed_on():
    leg = Leg()
    leg.apply(Settings(THERE, payload_type=97, law=Law.ALAW), 0.0)
    heard = hear(leg, range(20), 1.0, payload=b"\xd5" * FRAME, payload_type=97)
    assert np.abs(to_linear(heard[-1])).max() <= 8


def test_comfort_noise_is_no_loss_and_no_unknown_payload():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    hear(leg, range(20), 1.0)
    leg.receive(packet(20, b"\x40", payload_type=13), THERE, 1.4)
    heard = []
    leg.sink = heard.append
    for at in range(20):
        leg.tick(1.41 + at * 0.02)
    assert heard[2:] == [SILENT_FRAME] * 18
    assert (leg.stats().unknown, leg.stats().lost) == (0, 0)


def test_payload_types_that_were_not_agreed_on_are_counted_and_not_heard():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    assert hear(leg, range(10), 1.0, payload_type=18) == []
    assert leg.stats().unknown == 10


def test_reports_tell_loss_and_round_trip():
    wire = both()
    wire.here.says(numbered)
    wire.there.says(numbered)
    drop = itertools.count()
    receive = wire.there.leg.receive

    def lossy(data, address, now):
        if next(drop) % 4:
            receive(data, address, now)

    wire.there.leg.receive = lossy
    wire.run(20)
    here, there = wire.here.leg.stats(), wire.there.leg.stats()
    assert here.far_loss == pytest.approx(0.25, abs=0.02)
    assert there.far_loss == 0
    assert here.round_trip == pytest.approx(0, abs=6)  # ms; the wire's phase is 5
    assert there.lost > 200
    assert here.jitter < 1


def test_a_far_end_with_one_port_for_both_is_answered_there():
    leg = Leg()
    leg.apply(Settings(THERE), 0.0)
    bye = Leg()
    bye.apply(Settings(HERE), 0.0)
    leg.receive(bye.goodbye(1.0)[0].data, THERE, 1.0)
    assert leg.stats().ended
    (report,) = leg.goodbye(2.0)
    assert (report.address, report.control) == (THERE, False)
    leg.apply(Settings(("192.0.2.3", 6000)), 3.0)
    (report,) = leg.goodbye(4.0)
    assert (report.address, report.control) == (("192.0.2.3", 6001), True)


def test_reports_go_to_the_port_after_audio_unless_told_otherwise():
    leg = Leg()
    assert leg.goodbye(0.0) == []
    leg.apply(Settings(THERE), 0.0)
    assert leg.goodbye(0.0)[0].address == (THERE[0], THERE[1] + 1)
    leg.apply(Settings(THERE, remote_rtcp=("192.0.2.2", 7777)), 0.0)
    assert leg.goodbye(0.0)[0].address == ("192.0.2.2", 7777)
    leg.apply(Settings((THERE[0], 65535)), 0.0)
    assert leg.goodbye(0.0) == []


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=60) | st.binary(min_size=12).map(
        lambda data: bytes([0x80, data[1]]) + data[2:]
    )), max_size=30),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=200)
def test_no_datagram_makes_a_leg_raise(datagrams, secure):
    leg = Leg()
    keys = Keys(SUITE, ONE, TWO) if secure else None
    leg.apply(Settings(THERE, event_type=101, latching=True, keys=keys), 0.0)
    for at, (control, data) in enumerate(datagrams):
        (leg.receive_rtcp if control else leg.receive)(data, THERE, at * 0.004)
        leg.tick(at * 0.004)
    assert leg.stats().sent == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"remote": ("sip.example.com", 4000)}, "sip.example.com"),
        ({"remote": ("192.0.2.1", 0)}, "port"),
        ({"remote": THERE, "remote_rtcp": ("192.0.2.1", 65536)}, "port"),
        ({"remote": THERE, "payload_type": 128}, "payload type"),
        ({"remote": THERE, "event_type": -1}, "payload type"),
        ({"remote": THERE, "ptime": 5}, "10 to 60"),
        ({"remote": THERE, "ptime": 61}, "10 to 60"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_the_reason(wrong, why):
    with pytest.raises(ValueError, match=why):
        Settings(**wrong)


def test_an_address_is_compared_as_the_kernel_writes_it():
    assert Settings(("2001:DB8:0::1", 4000)).remote == ("2001:db8::1", 4000)
