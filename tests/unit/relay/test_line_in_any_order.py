"""Lines of two calls that change in any order, while streams and agents come and go: no audio
reaches anybody for whom it is not, and a call that nobody holds always ends its wait.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.thorough import often
from tests.unit.relay.call_pair import IDS, Pair
from tests.unit.relay.scene import RecordingLeg

CALLERS = {0: 0x11, 1: 0x12}
AGENTS = {0: 0x21, 1: 0x22}
CLIP = 0x30
WHICH = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), WHICH),
        st.tuples(st.just("silence"), WHICH),
        st.tuples(st.just("agent"), WHICH),
        st.tuples(st.just("bridge"), WHICH),
        st.tuples(st.just("transfer"), WHICH),
        st.tuples(st.just("overtaken"), WHICH),
        st.tuples(st.just("lose_stream"), WHICH),
        st.tuples(st.just("new_stream"), WHICH),
        st.tuples(st.just("lose_agent"), WHICH),
        st.tuples(st.just("new_agent"), WHICH),
        st.tuples(st.just("cut"), WHICH),
        st.tuples(st.just("unreachable"), WHICH),
        st.tuples(st.just("time"), WHICH),
    ),
    max_size=40,
)


class AnyOrder:
    """The two calls, and the rules that hold after each step."""

    def __init__(self) -> None:
        self.pair = Pair()
        for which in (0, 1):
            self.new_stream(which)
            self.new_agent(which)

    def step(self, what: str, which: int) -> None:
        getattr(self, what)(which)
        self.pair.settle()
        self.all_speak()

    def hold(self, which: int) -> None:
        self.pair.change(which, "hold", source={"kind": "clip", "clip_id": "clip_1"})

    def silence(self, which: int) -> None:
        self.pair.change(which, "hold")

    def agent(self, which: int) -> None:
        self.pair.change(which, "agent")

    def bridge(self, which: int) -> None:
        self.pair.change(which, "bridge")

    def transfer(self, which: int) -> None:
        self.pair.change(which, "bridge", agent="leave")

    def overtaken(self, which: int) -> None:
        """An answer from before comes late."""
        number, self.pair.numbers[which] = self.pair.numbers[which], -1
        self.pair.scenes[which].bridge.follow_line(None, self.pair.scenes[which].now)
        self.pair.numbers[which] = number

    def lose_stream(self, which: int) -> None:
        self.pair.scenes[which].lose_stream()
        self.pair.ears[which].change_stream()

    def new_stream(self, which: int) -> None:
        self.pair.scenes[which].start_stream()
        self.pair.ears[which].change_stream()

    def lose_agent(self, which: int) -> None:
        self.pair.scenes[which].lose_agent()

    def new_agent(self, which: int) -> None:
        scene = self.pair.scenes[which]
        leg = RecordingLeg()
        if scene.bridge.agent_joined(leg, leg.dialect._audio, scene.now):
            scene.agent = leg

    def cut(self, _: int) -> None:
        for wire in list(self.pair.wires.values())[:1]:
            wire.close(1006, "")

    def unreachable(self, _: int) -> None:
        self.pair.reachable = not self.pair.reachable

    def time(self, _: int) -> None:
        # Less than after which a call without stream or agent is reported.
        self.pair.pass_time(0.6)

    def all_speak(self) -> None:
        """Everybody speaks; then each hears only whom the lines say."""
        before = [len(ear.queued) for ear in self.pair.ears]
        for which, scene in enumerate(self.pair.scenes):
            scene.agent.audio.clear()
            self.pair.speak(which, bytes([CALLERS[which]]) * 160)
            scene.bridge.agent_audio(bytes([AGENTS[which]]) * 160, scene.now)
        lines = [scene.bridge.line.now for scene in self.pair.scenes]
        for which, scene in enumerate(self.pair.scenes):
            line, queued = lines[which], self.pair.ears[which].queued
            talks = line.mode == "agent"
            source = {CLIP} if line.mode == "hold" and line.source else set()
            peer = {CALLERS[1 - which]} if line.mode == "bridge" else set()
            assert set(queued) <= ({AGENTS[which]} if talks else source | peer)
            assert set(b"".join(scene.agent.audio)) <= ({CALLERS[which]} if talks else set())
            if peer and lines[1 - which].peer != IDS[which]:
                assert len(queued) == before[which], "the other call is bridged with nobody"


@given(STEPS)
@settings(max_examples=often(150, 5000), deadline=None)
def test_nobody_hears_anybody_else_in_any_order(steps: list[tuple[str, int]]) -> None:
    calls = AnyOrder()
    for what, which in steps:
        calls.step(what, which)


@given(STEPS)
@settings(max_examples=often(50, 2000), deadline=None)
def test_after_any_order_a_bridge_and_then_the_agents_talk_again(
    steps: list[tuple[str, int]],
) -> None:
    calls = AnyOrder()
    for what, which in steps:
        calls.step(what, which)
    calls.pair.reachable = True
    for which in (0, 1):
        calls.new_stream(which)
        calls.bridge(which)
    calls.pair.pass_time(0.6)
    for which in (0, 1):
        calls.pair.speak(which, bytes([CALLERS[which]]) * 160)
    assert [set(ear.queued) for ear in calls.pair.ears] == [{0x12}, {0x11}]
    for which, scene in enumerate(calls.pair.scenes):
        calls.agent(which)
        calls.new_agent(which)
        calls.pair.speak(which, b"\x11")
        scene.bridge.agent_audio(b"\x21", scene.now)
        assert (calls.pair.ears[which].queued, scene.agent.audio[-1:]) == (b"\x21", [b"\x11"])
