"""Segments become one file: each sample once, in its place, and silence where something is lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.composition import MAX_SEGMENT, SILENCE, Stored, header, plan

MS = 16
"""Bytes of a millisecond of stereo."""


def played(segments: list[Stored], length_ms: int) -> list[tuple[str | None, int]]:
    """Return of each byte of the file which segment it is from, and its place there."""
    found: list[tuple[str | None, int]] = []
    for piece in plan(segments, length_ms).pieces:
        found += [(piece.key, piece.skip + at if piece.key else 0) for at in range(piece.size)]
    return found


def test_segments_in_a_row_have_no_gaps() -> None:
    made = plan([Stored(f"s{each}", each * 4000, 4000 * MS) for each in range(3)], 12_100)
    assert (made.duration_ms, made.gaps, made.lost_ms) == (12_000, 0, 0)
    assert [piece.key for piece in made.pieces] == ["s0", "s1", "s2"]
    assert made.size == len(header(0)) + 12_000 * MS


def test_what_is_missing_is_silence_and_told() -> None:
    made = plan([Stored("a", 0, 4000 * MS), Stored("b", 12_000, 2000 * MS)], 20_000)
    assert (made.duration_ms, made.gaps, made.lost_ms) == (20_000, 2, 8000 + 6000)


def test_a_stream_that_comes_a_moment_after_the_answer_is_no_gap() -> None:
    made = plan([Stored("a", 640, 4000 * MS)], 5000)
    assert (made.duration_ms, made.gaps) == (4640, 0)
    assert made.pieces[0].size == 640 * MS


def test_where_two_relays_overlap_each_moment_is_heard_once() -> None:
    made = plan([Stored("a", 0, 1000 * MS), Stored("b", 900, 1000 * MS)], 1900)
    assert (made.duration_ms, made.gaps) == (1900, 0)
    assert made.pieces[1].skip == 100 * MS


def test_what_is_no_segment_is_left_out() -> None:
    made = plan([Stored("a", 0, 16), Stored("empty", 1, 0), Stored("big", 1, MAX_SEGMENT + 1)], 1)
    assert [piece.key for piece in made.pieces] == ["a"]
    assert not plan([], 10_000).pieces


@given(
    segments=st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 200 * MS)), min_size=1, max_size=8
    ),
    length_ms=st.integers(0, 8000),
)
def test_each_sample_is_in_its_place(segments: list[tuple[int, int]], length_ms: int) -> None:
    stored = [Stored(f"s{at}", start, size) for at, (start, size) in enumerate(segments)]
    starts = {each.key: each.start_ms for each in stored}
    sound = played(stored, length_ms)
    made = plan(stored, length_ms)
    assert len(sound) == made.samples * 2
    for at, (key, place) in enumerate(sound):
        if key is not None:
            assert at == starts[key] * MS + place


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_other_programs_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    file.write_bytes(header(8000) + SILENCE * 16_000)
    fields = "codec_name,sample_rate,channels,duration"
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", f"stream={fields}", "-of", "csv=p=0", file],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip().startswith("pcm_mulaw,8000,2,1.0")
