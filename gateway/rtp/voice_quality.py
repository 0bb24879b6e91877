"""Estimate how people would judge a call's audio, from its loss and delay: the E-model for G.711.

Sources: ITU-T G.107 (R, 7.5: effective impairment by loss, Annex B: R to MOS) with its default
values, of which only loss and delay vary; G.113 Appendix I (G.711 with concealment: Ie 0, Bpl
25.1); the delay's part is simplified as by R. Cole, J. Rosenbluth, "Voice over IP performance
monitoring", 2001. It knows nothing of echo, noise or what the far end did before it sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

Quality = Literal["good", "poor"]

_R_DEFAULT = 93.2
_ROBUSTNESS = 25.1
"""Bpl of G.711 with concealment."""
_WORST = 95.0
_MAX_BURST = 4.0
"""Burst ratios above this are not told apart: the model was not made for them."""
POOR_BELOW, GOOD_FROM = 3.1, 3.6
"""MOS below which a call becomes poor (R = 60), and from which on it is good again (R = 70)."""
WINDOW_S = 10.0
"""Time that is judged: a call is poor if the last ten seconds were."""
_MAX_SAMPLES = 64


class Packets(NamedTuple):
    """Packets of a stream since its beginning; `bursts` counts the runs of lost ones."""

    received: int
    lost: int
    bursts: int

    def since(self, before: Packets) -> Packets:
        """Return what came since an earlier count."""
        return Packets(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def loss_pct(self) -> float:
        """Return the share that was lost, in per cent."""
        sent = self.received + self.lost
        return 100 * self.lost / sent if sent > 0 else 0.0

    @property
    def burst_ratio(self) -> float:
        """Return the mean length of a run of lost packets over that of random loss (G.107 7.5)."""
        if self.lost <= 0 or self.bursts <= 0:
            return 1.0
        length = self.lost / self.bursts
        return min(_MAX_BURST, max(1.0, length * (1 - self.loss_pct / 100)))


def rating(loss_pct: float, burst_ratio: float = 1.0, one_way_ms: float = 0.0) -> float:
    """Return the transmission rating R, 0 to 93.2."""
    lost = loss_pct / (loss_pct / burst_ratio + _ROBUSTNESS) if loss_pct > 0 else 0.0
    delay = 0.024 * one_way_ms + 0.11 * max(0.0, one_way_ms - 177.3)
    return max(0.0, _R_DEFAULT - _WORST * lost - delay)


def mos(r: float) -> float:
    """Return the mean opinion score of a rating, 1 to 4.5 (G.107 Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a call's quality, with the estimate that led to it."""

    quality: Quality
    mos: float


class QualityWatch:
    """Watches the quality of one call, about once a second."""

    __slots__ = ("_quality", "_samples")

    def __init__(self) -> None:
        self._quality: Quality = "good"
        self._samples: deque[tuple[float, Packets]] = deque(maxlen=_MAX_SAMPLES)

    def note(self, packets: Packets, one_way_ms: float, now: float) -> Change | None:
        """Take the counts so far; return a change of the quality, if this is one."""
        samples = self._samples
        samples.append((now, packets))
        while len(samples) > 1 and now - samples[1][0] >= WINDOW_S:
            samples.popleft()
        began, before = samples[0]
        lately = packets.since(before)
        if now - began < WINDOW_S or lately.received + lately.lost <= 0:
            return None
        estimate = mos(rating(lately.loss_pct, lately.burst_ratio, one_way_ms))
        if self._quality == "good" and estimate < POOR_BELOW:
            self._quality = "poor"
        elif self._quality == "poor" and estimate >= GOOD_FROM:
            self._quality = "good"
        else:
            return None
        return Change(self._quality, estimate)
