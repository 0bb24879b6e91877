"""What Transcribe has heard: results that grow and are replaced."""

from __future__ import annotations

from typing import Any

from tests.unit.voice.engines.transcribe_double import result
from voice.engines.aws.words import MAX_RESULTS, Words


def _content(*results: dict[str, Any]) -> dict[str, Any]:
    return {"Transcript": {"Results": list(results)}}


def _text(words: Words, start_ms: int = 0, end_ms: int = 10**9) -> str | None:
    said = words.between(start_ms, end_ms)
    return said and said.text


def test_the_newest_version_of_a_result_counts() -> None:
    words = Words()
    words.take(_content(result("I wand", 0.1, 0.6, partial=True)), 0)
    assert _text(words) == "I wand"
    words.take(_content(result("I want a taxi.", 0.1, 1.4)), 0)
    assert _text(words) == "I want a taxi."
    assert words.final_ms == 1400


def test_words_of_a_later_stream_have_their_place_in_the_call() -> None:
    words = Words()
    words.take(_content(result("Hello.", 0.1, 0.5)), 0)
    words.take(_content(result("Again.", 0.1, 0.5)), 60_000)
    assert _text(words, 0, 1000) == "Hello."
    assert _text(words, 60_000, 61_000) == "Again."
    assert _text(words) == "Hello. Again."


def test_malformed_results_are_left_out() -> None:
    words = Words()
    for wrong in (
        {},
        {"Transcript": None},
        {"Transcript": {"Results": "none"}},
        _content({"ResultId": "x"}),
        _content({"Alternatives": [], "EndTime": 1, "IsPartial": False}),
        _content(
            {"Alternatives": [{"Items": [{"Content": "a"}]}], "EndTime": 1, "IsPartial": True}
        ),
        _content({"Alternatives": [{"Items": ["a"]}], "EndTime": 1, "IsPartial": True}),
        _content({"Alternatives": [{"Items": []}], "EndTime": "soon", "IsPartial": True}),
    ):
        words.take(wrong, 0)
    assert _text(words) is None
    words.take(_content(result("Hello.", 0.1, 0.5)), 0)
    assert _text(words) == "Hello."


def test_only_the_last_results_of_a_long_call_are_kept() -> None:
    words = Words()
    for n in range(3 * MAX_RESULTS):
        words.take(_content(result(f"word{n}", n, n + 0.5, name=f"r{n}")), 0)
    text = _text(words) or ""
    assert len(text.split()) == MAX_RESULTS
    assert text.endswith(f"word{3 * MAX_RESULTS - 1}")
