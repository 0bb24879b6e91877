"""A million mutated messages through every codec of the wires: only documented errors may come out,
and memory must stay flat. Prints what a message takes.
"""

from __future__ import annotations

import gc
import os
import random
import time
from dataclasses import dataclass, field

from tests.load.programs import rss_mb
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say
from tests.support.wire_codecs import MESSAGES, Codecs
from tests.support.wire_mutations import JsonMutator

INPUTS, INPUTS_QUICK = 1_000_000, 50_000
SEED = 4475
SETTLED = 0.1
"""Part of the inputs after which memory is looked at first: caches are full by then."""
GROWTH_MB = 2.0
SHOWN = 20


@dataclass
class Outcome:
    """The outcome for the inputs of one wire. Times are CPU seconds of the codecs alone."""

    wire: str
    inputs: int = 0
    took_s: float = 0.0
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Run:
    """The outcomes by wire, the errors that came, and how much memory grew."""

    outcomes: dict[str, Outcome]
    errors: dict[str, int]
    grown_mb: float


def run(inputs: int, seed: int = SEED) -> Run:
    """Feed so many messages, of all wires in turn."""
    chance = random.Random(seed)
    codecs = Codecs()
    mutators = {wire: JsonMutator(chance, texts) for wire, texts in MESSAGES.items()}
    outcomes = {wire: Outcome(wire) for wire in MESSAGES}
    before = 0.0
    for number in range(inputs):
        if number == int(inputs * SETTLED):
            before = rss_mb([os.getpid()])
        wire = chance.choice(tuple(MESSAGES))
        _feed(codecs, outcomes[wire], mutators[wire].message())
    return Run(outcomes, codecs.errors, rss_mb([os.getpid()]) - before)


def _feed(codecs: Codecs, outcome: Outcome, text: bytes) -> None:
    began = time.thread_time()
    try:
        codecs.feed(outcome.wire, text)
    except Exception as error:
        if len(outcome.wrong) < SHOWN:
            outcome.wrong.append(f"{type(error).__name__}: {error!s:.200} of {text[:300]!r}")
    lasted = time.thread_time() - began
    outcome.inputs += 1
    outcome.took_s += lasted
    if lasted > outcome.slowest_s:
        outcome.slowest_s, outcome.slowest_bytes = lasted, len(text)


def measure(options: Options) -> Result:
    """All wires, once."""
    inputs = INPUTS_QUICK if options.quick else INPUTS
    gc.freeze()  # as the relay does: a collection of all that is loaded would be the slowest input
    done = run(inputs)
    rows = [_row(outcome) for outcome in done.outcomes.values()]
    wrong = [line for outcome in done.outcomes.values() for line in outcome.wrong]
    for line in wrong:
        say(line)
    return Result(
        title="mutated messages through the codecs",
        parameters={"inputs": inputs, "seed": SEED},
        rows=rows,
        figures=[
            Figure("inputs with an error that is not documented", len(wrong), "0", not wrong),
            Figure(
                "memory grew by",
                f"{done.grown_mb:.1f} MB",
                f"< {GROWTH_MB:.0f} MB",
                done.grown_mb < GROWTH_MB,
            ),
        ],
        raw=[{"errors": done.errors, "wrong": wrong}],
    )


def _row(outcome: Outcome) -> Row:
    return {
        "wire": outcome.wire,
        "inputs": outcome.inputs,
        "us_an_input": outcome.took_s / max(1, outcome.inputs) * 1e6,
        "slowest_ms": outcome.slowest_s * 1000,
        "slowest_bytes": outcome.slowest_bytes,
        "wrong": len(outcome.wrong),
    }
