"""Whatever happens in a call, and in whatever order: each utterance ends exactly once, each request
is answered exactly once, and each text comes in its order.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.voice.call_scene import CallScene
from tests.unit.voice.tones import WORDS, silence, tone
from voice.core.playout import Piece
from voice.engines.base import Heard

_TEXTS = st.sampled_from(["Hello.", "First one. Second one.", "...", "one two three four five six"])


class AnyOrder(RuleBasedStateMachine):
    """A call in which everything may happen."""

    @initialize()
    def begin(self) -> None:
        self.scene = CallScene()
        self.scene.ear_works = False
        self.accepted: list[str] = []
        self.requests: list[str] = []
        self.piece: Piece | None = None
        self.to_play: list[str] = []
        self.spoken_words = 0

    @rule()
    def stream_starts(self) -> None:
        self.scene.start()

    @rule(hz=st.sampled_from([0, *WORDS]), ms=st.integers(1, 40))
    def caller(self, hz: int, ms: int) -> None:
        self.scene.hear(tone(hz, ms * 20) if hz else silence(ms * 20))

    @rule(index=st.integers(0, 9), text=st.sampled_from(["yes", "no", ""]))
    def a_turn_is_recognised(self, index: int, text: str) -> None:
        asked = self.scene.world.asked
        if asked:
            turn = asked.pop(index % len(asked))
            heard = Heard(text) if text else None
            self.scene.call.hearing.recognised(turn, heard, self.scene.now)

    @rule(
        number=st.integers(0, 12), text=_TEXTS, interrupt=st.booleans(), barge_in=st.booleans(),
        wait=st.booleans(), reply_s=st.sampled_from([0, 1, 20]),
    )  # fmt: skip
    def say(self, number: int, text: str, reply_s: float, **more: bool) -> None:
        utterance_id = f"utt_{number}"
        request = self.scene.say(utterance_id, text, wait_for_reply_s=reply_s, **more)
        self.requests.append(request)
        reply = self.scene.answer(request)
        if (reply is None or reply["ok"]) and utterance_id not in self.accepted:
            self.accepted.append(utterance_id)

    @rule()
    def clear(self) -> None:
        self.requests.append(self.scene.request("clear"))

    @rule(wait_s=st.sampled_from([0, 2, 20]))
    def listen(self, wait_s: float) -> None:
        self.requests.append(self.scene.request("listen", wait_s=wait_s))

    @rule(ms=st.integers(1, 1500), last=st.booleans(), failed=st.booleans())
    def synthesis(self, ms: int, last: bool, failed: bool) -> None:
        call, now = self.scene.call, self.scene.now
        self.piece = self.piece or call.next_piece(now)
        if self.piece is None:
            return
        wanted = call.playout.audio(self.piece, tone(1000, ms), now)
        if last or not wanted:
            call.playout.sentence_done(self.piece, now, failed=failed)
            self.piece = None

    @rule(count=st.integers(1, 8), played=st.booleans())
    def marks_come_back(self, count: int, played: bool) -> None:
        done = len(self.to_play)
        coming = self.scene.marks()[done : done + count]
        self.to_play += coming
        for name in coming:
            message = {"type": "mark", "name": name, "played": played or count % 4 != 0}
            self.scene.call.message(message, self.scene.now)

    @rule(ms=st.integers(1, 8000))
    def time_passes(self, ms: int) -> None:
        self.scene.now += ms / 1000
        self.scene.call.tick(self.scene.now)

    @precondition(lambda self: len(self.accepted) > 5)
    @rule()
    def the_call_ends(self) -> None:
        self.scene.call.message({"type": "stop"}, self.scene.now)

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert all(count == 1 for count in self.ends().values())
        open_ids = [each.utterance_id for each in self.scene.call.playout.open]
        assert sorted([*self.ends(), *open_ids]) == sorted(self.accepted)

    @invariant()
    def texts_are_in_order(self) -> None:
        finals = [each for each in self.scene.world.items if each["type"] == "transcript"]
        starts = [each["started_ms"] for each in finals]
        assert starts == sorted(starts)
        numbers = [each["sequence"] for each in self.scene.world.items if "sequence" in each]
        assert numbers == sorted(set(numbers))

    @invariant()
    def what_was_heard_is_the_begin_of_what_was_said(self) -> None:
        texts = {u.utterance_id: u for u in self.scene.call._known.values()}
        for item in self.scene.world.items:
            if item["type"] == "speech" and item["state"] != "started":
                utterance = texts[item["utterance_id"]]
                assert utterance.text.startswith(item["heard_text"])
                assert 0 <= item["heard_ms"] <= round(utterance.sent_ms)

    def ends(self) -> Counter[str]:
        return Counter(
            each["utterance_id"]
            for each in self.scene.world.items
            if each["type"] == "speech" and each["state"] != "started"
        )

    def teardown(self) -> None:
        if not hasattr(self, "scene"):
            return
        self.scene.call.close("call_over", self.scene.now)
        assert sorted(self.ends()) == sorted(self.accepted)
        assert all(self.scene.answer(request) for request in self.requests)


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
