"""Tests of the jitter buffer: whatever the network does, audio is played in order, and early."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtp.g711 import FRAME, SAMPLES_PER_S, SILENT_FRAME
from gateway.rtp.jitter_buffer import MAX_HELD, MAX_PACKETS, JitterBuffer
from gateway.rtp.ledger import MAX_SILENT_PACKETS
from gateway.rtp.timeline import MAX_SPREAD
from tests.unit.rtp.streams import (
    TICK,
    Arrival,
    delay_of,
    jittery,
    numbered,
    play,
    spikes,
    stream,
)


def silent(_place, samples):
    return b"\xff" * samples


def speech(place, samples):
    """A second of sound, a second of silence, and so on."""
    return numbered(place, samples) if place // 8000 % 2 == 0 else b"\xff" * samples


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("phase", [0.001, 0.007, 0.013, 0.019])
def test_on_a_quiet_network_every_byte_is_played_in_order_with_little_delay(ptime, phase):
    buffer = JitterBuffer()
    frames = play(buffer, stream(4.8, jittery(0.002), ptime=ptime), 4.7, phase=phase)
    first = next(at for at, frame in enumerate(frames) if frame is not None)
    heard = b"".join(frame for frame in frames[first:] if frame is not None)
    assert heard == numbered(0, len(heard))
    uneven = 0.01 if ptime in (10, 30) else 0  # frames end within packets that come later
    assert first * TICK + phase - 0.03 <= 0.03 + uneven  # the network's own delay is 30 ms
    assert (buffer.late, buffer.lost, buffer.dropped, buffer.concealed) == (0, 0, 0, 0)


def test_the_delay_rises_with_jitter_and_falls_again():
    buffer = JitterBuffer()
    calm = stream(4, jittery(0.002))
    rough = stream(10, jittery(0.06), start=4, sequence=1200, timestamp=5000 + 32000)
    after = stream(16, jittery(0.002), start=14, sequence=1700, timestamp=5000 + 112000)
    frames = play(buffer, [*calm, *rough, *after], 29.9)
    assert buffer.spread < 160
    depths = []
    buffer = JitterBuffer()
    for second in range(30):
        part = [each for each in [*calm, *rough, *after] if second <= each.at < second + 1]
        play(buffer, part, second + 1, start=second)
        depths.append(buffer.spread)
    assert max(depths[:4]) < 32
    assert 300 < max(depths[6:14]) < 700
    assert depths[-1] < 160
    assert frames.count(None) < 5


def test_with_jitter_hardly_anything_is_lost_once_it_is_known():
    buffer = JitterBuffer()
    arrivals = stream(60, jittery(0.06))
    play(buffer, [each for each in arrivals if each.at < 5], 5)
    before = buffer.late + buffer.lost
    play(buffer, [each for each in arrivals if each.at >= 5], 60, start=5)
    assert buffer.late + buffer.lost - before <= 14  # of 2,750 packets


def test_spikes_of_300_ms_lose_no_speech_beyond_one_part_in_fifty():
    buffer = JitterBuffer()
    play(buffer, stream(60, spikes(5, 0.3)), 60)
    assert buffer.lost == buffer.late == 0
    assert buffer.dropped <= 60  # of 3,000 frames, all of them loud


def test_the_delay_that_a_spike_leaves_is_gone_with_the_next_pause_in_speech():
    buffer = JitterBuffer()
    arrivals = stream(8, spikes(4.5, 0.3), audio=speech)
    play(buffer, [each for each in arrivals if each.at < 5], 5)
    assert buffer.held >= 1600
    play(buffer, [each for each in arrivals if each.at >= 5], 7.5, start=5)
    assert buffer.held <= 2 * FRAME


@pytest.mark.parametrize("parts_per_million", [500, -500])
def test_a_clock_that_is_fast_or_slow_makes_no_delay_grow(parts_per_million):
    buffer = JitterBuffer()
    arrivals = stream(300, jittery(0.002), clock=1 + parts_per_million / 1e6)
    for minute in range(5):
        part = [each for each in arrivals if minute * 60 <= each.at < minute * 60 + 60]
        play(buffer, part, minute * 60 + 60, start=minute * 60)
        assert buffer.held <= 3 * FRAME
    # Half a sample in a thousand are 150 ms in five minutes: seven or eight frames.
    assert buffer.dropped + buffer.concealed <= 16


def test_a_lost_packet_is_made_up_and_those_after_it_are_in_time():
    buffer = JitterBuffer()
    arrivals = [each for each in stream(4) if each.sequence != 1050]
    frames = play(buffer, arrivals, 4)
    assert buffer.lost == 1
    assert buffer.concealed == 1
    assert delay_of(frames, 52) == delay_of(frames, 40)


@pytest.mark.parametrize(("by", "every"), [(1, 10), (2, 10), (3, 10), (1, 30)])
def test_packets_that_overtake_each_other_are_played_in_order(by, every):
    buffer = JitterBuffer()
    arrivals = stream(10, jittery(0.002))
    for at in range(20, 480, every):
        times = [each.at for each in arrivals[at : at + by + 1]]
        late, *others = arrivals[at : at + by + 1]
        for place, (when, each) in enumerate(zip(times, [*others, late], strict=True), at):
            arrivals[place] = each._replace(at=when)
    frames = play(buffer, arrivals, 9.9)
    wanted = [numbered(at * FRAME, FRAME) for at in range(150, 450)]
    at = frames.index(wanted[0], 150)
    assert frames[at : at + 300] == wanted


def test_a_packet_that_came_twice_is_played_once():
    buffer = JitterBuffer()
    twice = [each for each in stream(2, jittery(0.002)) for _ in range(2)]
    frames = play(buffer, twice, 2)
    heard = b"".join(frame for frame in frames if frame)
    assert heard[: 80 * FRAME] == numbered(0, 80 * FRAME)
    assert buffer.late >= 98


def test_a_pause_of_the_far_end_is_no_loss_and_ends_without_delay():
    buffer = JitterBuffer()
    arrivals = [each for each in stream(6) if not 1.0 <= each.at < 3.0]
    # Silence suppression: the timestamps go on, the sequence numbers do not.
    arrivals = [each._replace(sequence=1000 + at) for at, each in enumerate(arrivals)]
    frames = play(buffer, arrivals, 6)
    assert buffer.lost == buffer.late == 0
    assert frames[100] == SILENT_FRAME
    assert delay_of(frames, 200) <= 3


def test_timestamps_that_stand_still_in_a_pause_make_no_delay():
    buffer = JitterBuffer()
    before = stream(1)
    after = stream(2, start=4, sequence=1050, timestamp=5000 + 8000)
    frames = play(buffer, [*before, *after], 6)
    assert frames[203] != SILENT_FRAME
    assert frames.index(numbered(49 * FRAME, FRAME), 210) == 203 + 49 - 1
    assert (buffer.dropped, buffer.concealed) == (0, 3)  # where the sound ended first


def test_after_timestamps_that_stood_still_jitter_is_allowed_for_as_before():
    buffer = JitterBuffer()
    after = stream(20, jittery(0.06), start=4, sequence=1050, timestamp=5000 + 8000)
    play(buffer, [*stream(1), *after], 24)
    assert buffer.dropped + buffer.late + buffer.lost <= 12


def test_the_delay_of_a_spike_is_gone_after_a_pause_even_if_nothing_was_quiet():
    buffer = JitterBuffer()
    loud = stream(7.5, spikes(4, 0.3))
    after = stream(2, start=9, sequence=1375, timestamp=5000 + 9 * 8000)
    play(buffer, [*loud, *after], 7.5)
    assert buffer.held > 1200
    play(buffer, [each for each in [*loud, *after] if each.at > 7.487], 10, start=7.5)
    assert buffer.held <= 2 * FRAME
    assert buffer.dropped < 8


def test_comfort_noise_is_silence_at_once_and_nothing_is_made_up():
    buffer = JitterBuffer()
    play(buffer, stream(1, jittery(0.002)), 1.03)
    buffer.rest(1050, 5000 + 8000)
    frames = [buffer.pop(1.037 + at * TICK) for at in range(10)]
    assert frames[3:] == [SILENT_FRAME] * 7
    assert buffer.concealed == 0


def test_packets_without_audio_in_between_are_not_lost_audio():
    buffer = JitterBuffer()
    play(buffer, stream(1), 1.04)
    for sequence in range(1050, 1058):  # a key: eight packets, no audio
        buffer.skip(sequence)
    arrivals = stream(1, start=1.16, sequence=1058, timestamp=5000 + 58 * 160)
    play(buffer, arrivals, 2.1, start=1.04)
    assert buffer.lost == 0


def test_what_is_lost_among_packets_without_audio_is_counted():
    buffer = JitterBuffer()
    play(buffer, stream(1), 1.04)
    for sequence in (1050, 1051, 1053):
        buffer.skip(sequence)
    play(buffer, stream(1, start=1.08, sequence=1054, timestamp=5000 + 54 * 160), 2, start=1.04)
    assert buffer.lost == 1


@pytest.mark.parametrize("timestamp", [0, 160, 5000 + 8000, 5000 + 1600, 0x80000000, 0xFFFFFFFF])
def test_when_timestamps_begin_anew_audio_goes_on(timestamp):
    buffer = JitterBuffer()
    before = stream(1)
    after = stream(2, start=1, sequence=1050, timestamp=timestamp)
    frames = play(buffer, [*before, *after], 3)
    at = frames.index(numbered(20 * FRAME, FRAME), 51 + 20)
    assert at <= 51 + 20 + 4
    assert buffer.held <= 3 * FRAME


@pytest.mark.parametrize("sequence", [0, 5, 900, 1049, 40000, 0xFFFF])
def test_after_a_restart_audio_goes_on_from_any_number(sequence):
    buffer = JitterBuffer()
    frames = play(buffer, stream(1), 1)
    buffer.restart()
    after = stream(2, start=1, sequence=sequence, timestamp=77)
    frames = play(buffer, after, 3, start=1)
    assert delay_of(frames, 20) <= 4
    assert buffer.lost == 0


def test_timestamps_that_never_move_still_make_sound():
    buffer = JitterBuffer()
    arrivals = [each._replace(timestamp=5000) for each in stream(2, jittery(0.002))]
    frames = play(buffer, arrivals, 2)
    heard = b"".join(frame for frame in frames if frame)
    assert heard[: 80 * FRAME] == numbered(0, 80 * FRAME)


def test_timestamps_that_are_off_by_a_few_samples_leave_no_gaps():
    buffer = JitterBuffer()
    chance = random.Random(3)
    arrivals = [
        each._replace(timestamp=each.timestamp + chance.randrange(-40, 40))
        for each in stream(4, jittery(0.002))
    ]
    frames = play(buffer, arrivals, 3.9)
    heard = b"".join(frame for frame in frames if frame)
    assert heard == numbered(0, len(heard))


def test_a_second_of_audio_at_once_is_held_within_the_bound():
    buffer = JitterBuffer()
    play(buffer, stream(1), 1)
    burst = [each._replace(at=2.0) for each in stream(2, sequence=1050, timestamp=13000)]
    frames = play(buffer, burst, 2.02, start=1.9, phase=0)
    assert buffer.held <= MAX_HELD
    assert buffer.dropped >= 100 - MAX_HELD // FRAME - 1
    assert frames[-1] is not None


def test_packets_of_one_byte_are_held_within_the_bound():
    buffer = JitterBuffer()
    for at in range(1000):
        buffer.push(at, at, b"\x01", 1.0)
    assert len(buffer._held) <= MAX_PACKETS
    for at in range(1000, 2000):
        buffer.skip(at)
    assert len(buffer._ledger._silent) <= MAX_SILENT_PACKETS


class Mute:
    """In place of concealment: what was made up shows no marks of what was heard."""

    def hear(self, ulaw):
        return ulaw

    def conceal(self, samples):
        return b"\xff" * samples

    rest = conceal

    def splice(self, _left_out, ulaw):
        return ulaw


def muted():
    buffer = JitterBuffer()
    buffer._concealment = Mute()
    return buffer


def marked(place, samples):
    """Loud codes, with the number of each 10 ms in its middle."""
    return b"".join(
        b"\x20" * 36 + bytes([0x11, 0x91, at & 0x7F, at >> 7, 0x91]) + b"\x20" * 39
        for at in range(place // 80, (place + samples) // 80)
    )


def marks(frames):
    """The numbers of what was heard, in order."""
    heard = b"".join(frame for frame in frames if frame)
    return [
        heard[at + 2] + 128 * heard[at + 3]
        for at in range(len(heard) - 4)
        if heard[at] == 0x11 and heard[at + 1] == 0x91 and heard[at + 4] == 0x91
    ]


PACKET = st.tuples(
    st.sampled_from(["push", "push", "push", "skip", "rest", "restart", "pop", "pop"]),
    st.integers(0, 400) | st.integers(0, 0xFFFF),
    st.integers(0, 8000) | st.integers(0, 0xFFFFFFFF),
    st.integers(0, 500),
)


def disturb(buffer, steps):
    """Do all that, 4 ms apart, and return what time it is then."""
    now = 0.0
    for what, sequence, timestamp, size in steps:
        now += 0.004
        if what == "push":
            buffer.push(sequence, timestamp, b"\x10" * size, now)
        elif what == "skip":
            buffer.skip(sequence)
        elif what == "rest":
            buffer.rest(sequence, timestamp)
        elif what == "restart":
            buffer.restart()
        else:
            frame = buffer.pop(now)
            assert frame is None or len(frame) == FRAME
        assert len(buffer._held) <= MAX_PACKETS
        assert buffer.held <= MAX_HELD + 500
    return now


@given(st.lists(PACKET, max_size=80))
@settings(max_examples=300)
def test_whatever_came_regular_audio_flows_within_a_second(steps):
    buffer = muted()
    now = disturb(buffer, steps)
    buffer.restart()  # as the validity of sequence numbers has it (RFC 3550 A.1)
    arrivals = stream(3, lambda _: 0.0, start=now, audio=marked)
    frames = play(buffer, arrivals, now + 2.9, start=now)
    heard = marks(frames[50:])
    assert heard == sorted(set(heard))
    assert len(heard) >= 2 * 95 - 40  # but for frames that are left out


@given(
    seed=st.integers(0, 10_000),
    loss=st.floats(0, 0.3),
    most=st.floats(0, 0.2),
    ptime=st.sampled_from([10, 20, 30, 60]),
)
@settings(max_examples=60)
def test_with_any_loss_and_order_what_is_heard_is_in_order_and_bounded(seed, loss, most, ptime):
    chance = random.Random(seed)
    buffer = muted()
    arrivals = [
        each
        for each in stream(3, jittery(most, seed), ptime=ptime, audio=marked)
        for _ in range(chance.choice([1, 1, 1, 2]))
        if chance.random() >= loss
    ]
    heard = marks(play(buffer, arrivals, 3.5))
    assert heard == sorted(set(heard))
    assert buffer.held <= MAX_HELD


def test_more_jitter_than_the_bound_adds_no_delay():
    buffer = JitterBuffer()
    play(buffer, stream(20, spikes(2, 0.55)), 20)
    assert buffer.spread == pytest.approx(MAX_SPREAD, rel=0.1)
    assert buffer.spread <= MAX_SPREAD


def test_before_the_first_audio_there_is_nothing_to_play():
    buffer = JitterBuffer()
    assert buffer.pop(1.0) is None
    buffer.skip(1)
    buffer.rest(2, 160)
    assert buffer.pop(1.02) is None
    assert buffer.held == 0


def test_an_arrival_is_what_a_test_says():
    assert stream(0.02)[0] == Arrival(0.03, 1000, 5000, numbered(0, FRAME))


class Unhurried(JitterBuffer):
    """A buffer that looks at every packet as if it were an unusual one."""

    __slots__ = ()

    def push(self, sequence, timestamp, payload, now):
        self._push_other(sequence, timestamp, payload, now * SAMPLES_PER_S)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_packet_that_simply_follows_is_treated_as_any_other(seed):
    chance = random.Random(seed)
    quick, slow = JitterBuffer(), Unhurried()
    sequence, timestamp = chance.getrandbits(16), chance.getrandbits(32)
    now, waiting = 0.0, []
    for _ in range(400):
        size = FRAME if chance.random() < 0.95 else chance.choice((0, 80, 240))
        step, ahead = chance.choice(((1, size),) * 30 + ((2, 2 * size), (1, 8000), (7, 79), (1, 0)))
        waiting.append((sequence, timestamp, bytes([chance.randrange(128)]) * size))
        sequence, timestamp = sequence + step & 0xFFFF, timestamp + ahead & 0xFFFFFFFF
        now += chance.choice((0.0, TICK, TICK, TICK, 3 * TICK))
        if chance.random() < 0.1:
            chance.shuffle(waiting)
            continue
        for buffer in (quick, slow):
            for packet in waiting:
                buffer.push(*packet, now)
        waiting.clear()
        if chance.random() < 0.02:
            quick.restart()
            slow.restart()
        if chance.random() < 0.02:
            quick.skip(sequence)
            slow.skip(sequence)
            sequence = sequence + 1 & 0xFFFF
        assert quick.pop(now) == slow.pop(now)
        assert (quick.held, quick.late, quick.lost) == (slow.held, slow.late, slow.lost)
        assert (quick.dropped, quick.concealed) == (slow.dropped, slow.concealed)
        assert quick.spread == slow.spread
