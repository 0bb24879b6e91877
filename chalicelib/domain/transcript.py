"""The transcript of a hosted call, the state of its speech, and the bounds of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict

from chalicelib.domain.event import RETENTION_S
from chalicelib.domain.model import Model
from chalicelib.domain.rate_limit import Limit

KEPT_S = RETENTION_S
"""Time for which a transcript is kept: as long as events."""

MAX_TEXT = 2000
"""Characters of one text, said or heard; what is longer is cut."""

MAX_SAY = 2000
"""Characters of one text to be spoken."""

MAX_WAIT_S = 20
"""Time for which a request may wait for what the caller says."""

PAGE = 100
"""Entries of a transcript in an answer."""

MAX_ITEMS = 32
"""Items of one report. What they write, with `MAX_OPEN` utterances that may end, fits into one
transaction, which holds 100 writes."""

MAX_OPEN = 32
"""Utterances of a call that are not over."""

MAX_ENTRIES = 4000
"""Entries of a call's transcript: one every 3.6 s for four hours."""

MAX_BYTES = 1_000_000
"""Bytes of text in a call's transcript."""

MAX_CHARACTERS = 250_000
"""Characters that a call may have spoken: more than can be said in four hours."""

CHARACTERS_AN_HOUR = 200_000
SPOKEN = Limit("say_characters", CHARACTERS_AN_HOUR, 3600)
"""The limit of characters that an account may have spoken in all its calls."""

TRANSCRIPTS_A_MINUTE = 600
TOLD = Limit("transcripts", TRANSCRIPTS_A_MINUTE, 60)
"""The limit of reports with texts of callers that become events, of all calls of an account."""

MAX_HOSTS_KNOWN = 4
"""Voice hosts of a call whose last report is remembered."""

LATE_MS = 600_000
"""Time after the end of a call for which reports about it are taken."""

Speaker = Literal["caller", "agent"]
Why = Literal["barge_in", "cleared", "replaced", "call_over", "failed", "host_lost"]


class Entry(Model):
    """An entry of a transcript. Times are in ms since the call was answered; `sequence` rises from
    entry to entry. `utterance_id` and `interrupted` are of the agent's entries.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int
    speaker: Speaker
    text: str
    final: bool = True
    started_ms: int
    ended_ms: int
    confidence: float | None = None
    utterance_id: str | None = None
    interrupted: bool | None = None


@dataclass(frozen=True)
class Speech:
    """The state of a call's speech. `version` counts its changes by reports, `reports` has the last
    one of each voice host.

    `entries`, `size` (bytes) and `last` (sequence) are of the transcript so far; `open`: utterances
    that are not over; `lost`: those whose voice host went; `characters`: spoken so far;
    `forgotten`: the sequence up to which the transcript was deleted, and voice hosts may still
    remember it; `resumed_by`: the voice host that took the call over last.
    """

    version: int = 0
    reports: dict[str, int] = field(default_factory=dict)
    entries: int = 0
    size: int = 0
    last: int = 0
    open: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    characters: int = 0
    forgotten: int = 0
    resumed_by: str | None = None
