"""Judges the detector of who answered a call: how often it is right, how long it takes, and
what a frame costs. The confusion tables are printed as JSON, too.

Needs espeak-ng. The voices are synthetic; people vary more, and so do lines.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from relay.core.who_answered import AnswerDetector, Answered, GreetingEnded
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say
from tests.support.answers import HELD_OUT, NOISES, TUNED_ON, FarEnd, Half, Noise, far_ends

KINDS = ("human", "machine", "fax", "unknown")
RIGHT_PERCENT = 90.0
BEEP_WITHIN_MS = 400
"""After its end, a beep is told so soon."""
FRAME_US = 30.0


@dataclass
class Heard:
    """Hold one far end and the answer of the detector."""

    far_end: FarEnd
    answered: Answered | None = None
    ended: GreetingEnded | None = None
    frames: int = 0

    @property
    def right(self) -> bool:
        """Return True if the detector was right."""
        return self.answered is not None and self.answered.by == self.far_end.by

    @property
    def ended_right(self) -> bool:
        """Whether the end of a machine's greeting was found where it is."""
        if self.ended is None:
            return False
        late = self.ended.at_ms - self.far_end.said_ms
        if self.far_end.beep:
            return self.ended.by == "beep" and -60 <= late <= BEEP_WITHIN_MS
        return self.ended.by == "silence" and late >= 1000


@dataclass
class Judged:
    """The outcomes for one half."""

    half: Half
    heard: list[Heard]
    cpu_us: float = 0.0
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = Counter((h.far_end.by, h.answered.by if h.answered else "-") for h in self.heard)
        self.confusion = {a: {b: counts[a, b] for b in KINDS if counts[a, b]} for a in KINDS}

    def percent_right(self, noise: Noise | str = "all") -> float:
        """Of those on lines with this noise."""
        of = [h for h in self.heard if noise in ("all", h.far_end.noise)]
        return 100 * sum(h.right for h in of) / len(of)

    def ends_right(self, *, beep: bool) -> float:
        """Percent of the machines that were taken for such."""
        of = [h for h in self.heard if h.right and h.far_end.by == "machine"]
        of = [h for h in of if h.far_end.beep == beep]
        return 100 * sum(h.ended_right for h in of) / len(of)

    def times_ms(self, by: str) -> list[int]:
        """From the answer to the decision."""
        right = [h for h in self.heard if h.right and h.far_end.by == by]
        return sorted(h.answered.at_ms for h in right if h.answered)


def judge(half: Half, noises: tuple[Noise, ...] = NOISES) -> Judged:
    """Play each far end of a half to a detector of its own."""
    heard, spent = [], 0.0
    for far_end in far_ends(half, noises):
        one = Heard(far_end)
        detector = AnswerDetector("greeting_end")
        frames = list(far_end.frames())
        began = time.process_time()
        for frame, at in frames:
            for found in detector.hear(frame, at):
                if isinstance(found, Answered):
                    one.answered = found
                else:
                    one.ended = found
            one.frames += 1
            if detector.over:
                break
        spent += time.process_time() - began
        heard.append(one)
    return Judged(half, heard, spent / sum(h.frames for h in heard) * 1e6)


def measure(options: Options) -> Result:
    """Judge both halves; quick: without noise."""
    noises = NOISES[:1] if options.quick else NOISES
    halves = [judge(half, noises) for half in (TUNED_ON, HELD_OUT)]
    for each in halves:
        say(json.dumps({"half": each.half, "confusion": each.confusion}))
    rows = [_row(each, by) for each in halves for by in KINDS]
    held_out = halves[1]
    right, cost = held_out.percent_right(), max(each.cpu_us for each in halves)
    wrong_faxes = sum(h.far_end.by == "fax" and not h.right for h in held_out.heard)
    return Result(
        "who answered",
        {"far ends": sum(len(each.heard) for each in halves), "noises": str(list(noises))},
        rows,
        [
            _at_least("right, held out, percent", right, RIGHT_PERCENT),
            *(
                Figure(f"right, noise {noise}, percent", round(held_out.percent_right(noise), 1))
                for noise in noises
            ),
            Figure("faxes taken for others", wrong_faxes, "0", wrong_faxes == 0),
            _at_least("beeps found, percent", held_out.ends_right(beep=True), RIGHT_PERCENT),
            Figure("ends by silence, percent", round(held_out.ends_right(beep=False), 1)),
            Figure("a frame of 20 ms, us", round(cost, 1), f"<= {FRAME_US:.0f}", cost <= FRAME_US),
        ],
        ["Voices are synthetic (espeak-ng). Constants were chosen on the half `tuned on` only."],
        [_raw(each, h) for each in halves for h in each.heard if not h.right],
    )


def _at_least(what: str, percent: float, target: float) -> Figure:
    return Figure(what, round(percent, 1), f">= {target:.0f}", percent >= target)


def _row(judged: Judged, by: str) -> Row:
    times = judged.times_ms(by)
    return {
        "half": judged.half,
        "far end": by,
        **{f"as {other}": judged.confusion[by].get(other, 0) for other in KINDS},
        "p50_ms": median(times) if times else None,
        "p95_ms": times[int(len(times) * 0.95)] if times else None,
    }


def _raw(judged: Judged, heard: Heard) -> Row:
    far_end = heard.far_end
    return {
        "half": judged.half,
        "by": far_end.by,
        "text": far_end.text,
        "noise": str(far_end.noise),
        "heard as": heard.answered.by if heard.answered else None,
        "at_ms": heard.answered.at_ms if heard.answered else None,
    }
