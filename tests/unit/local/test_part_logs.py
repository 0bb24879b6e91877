"""Tests that the logs of the local stack's parts do not fill the disk."""

from __future__ import annotations

import subprocess
import sys

from local.processes import Part

WRITER = """
import sys
for line in sys.stdin:
    print(line.strip() * 100, flush=True)
    print("written", file=sys.stderr, flush=True)
"""


def test_a_log_that_is_too_long_is_rotated_while_its_part_keeps_writing(tmp_path):
    log = tmp_path / "part.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER], text=True,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE,
        )  # fmt: skip

    def write(word):
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        assert process.stderr.readline() == "written\n"

    part = Part("part", process, log)
    write("before")
    part.trim_log(most=1000)
    assert log.stat().st_size == 601
    write("before")
    part.trim_log(most=1000)
    assert log.stat().st_size == 0
    write("after")
    assert log.read_text() == "after" * 100 + "\n"
    assert log.with_suffix(".log.old").read_text() == ("before" * 100 + "\n") * 2
    process.stdin.close()
    process.wait(10)
