"""Keeps the words that Transcribe has heard in a call, and their places in its audio. Results grow
and are replaced until they are final.

A result is what the service says about a stretch of audio. Of each, the newest version counts. All
times are ms of the audio that was fed; a stream that was opened later counts from `base_ms`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_RESULTS = 200
"""Results that are kept: minutes of speech, while an utterance is seconds."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a punctuation mark, which has no confidence of its own."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None
    stable: bool
    mark: bool


@dataclass(frozen=True, slots=True)
class _Result:
    words: tuple[Word, ...]
    end_ms: int
    final: bool


@dataclass(frozen=True, slots=True)
class Said:
    """The words of an utterance. `settled` is false while the service may still change them."""

    text: str
    confidence: float | None
    end_ms: int
    settled: bool


class Words:
    """The words of one call."""

    def __init__(self) -> None:
        self._results: dict[tuple[int, str], _Result] = {}
        self.final_ms = 0
        """Up to here the results are final."""

    def take(self, content: dict[str, Any], base_ms: int) -> None:
        """Take the content of a TranscriptEvent. Malformed results are left out."""
        for result in _list(content, "Transcript", "Results"):
            read = _result(result, base_ms)
            if read is None:
                continue
            self._results[base_ms, str(result.get("ResultId"))] = read
            if read.final:
                self.final_ms = max(self.final_ms, read.end_ms)
        while len(self._results) > MAX_RESULTS:
            del self._results[next(iter(self._results))]

    def drop_open(self) -> None:
        """Forget what is not final: the stream was lost, and its audio will be heard again."""
        self._results = {key: each for key, each in self._results.items() if each.final}

    def between(self, start_ms: int, end_ms: int) -> Said | None:
        """Return what was said between two times, or None if nothing was."""
        words: list[Word] = []
        settled = True
        for result in self._results.values():
            inside = [each for each in result.words if _inside(each, start_ms, end_ms)]
            words += inside
            settled &= result.final or all(each.stable for each in inside)
        spoken = [each for each in words if not each.mark]
        if not spoken:
            return None
        sure = [each.confidence for each in spoken if each.confidence is not None]
        return Said(
            _joined(words),
            sum(sure) / len(sure) if sure else None,
            max(each.end_ms for each in spoken),
            settled,
        )


def _inside(word: Word, start_ms: int, end_ms: int) -> bool:
    return word.end_ms > start_ms and word.start_ms < end_ms


def _joined(words: list[Word]) -> str:
    text = ""
    for word in sorted(words, key=lambda each: each.start_ms):
        text += word.text if word.mark or not text else f" {word.text}"
    return text


def _result(result: Any, base_ms: int) -> _Result | None:
    try:
        words = tuple(_words(result["Alternatives"][0]["Items"], base_ms))
        return _Result(words, base_ms + _ms(result["EndTime"]), not result["IsPartial"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _words(items: Any, base_ms: int) -> Iterator[Word]:
    for item in items:
        confidence = item.get("Confidence")
        yield Word(
            str(item["Content"]),
            base_ms + _ms(item["StartTime"]),
            base_ms + _ms(item["EndTime"]),
            min(max(float(confidence), 0.0), 1.0) if confidence is not None else None,
            bool(item.get("Stable")),
            item.get("Type") == "punctuation",
        )


def _ms(seconds: Any) -> int:
    return int(float(seconds) * 1000)


def _list(content: Any, *path: str) -> list[Any]:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, list) else []
