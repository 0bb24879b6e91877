"""Far ends that answer a call, synthesised: people, machines with and without a beep, faxes.

Each is the mu-law that a relay would hear from the moment of the answer, with what it is. Texts,
voices, speeds, pitches, levels and the noise of the line vary. One half (`TUNED_ON`) is for
choosing the detector's constants, the other (`HELD_OUT`) has other texts and voices, for judging
them.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from common import g711
from tests.support.speech import telephone_rate

Half = Literal["tuned on", "held out"]
TUNED_ON, HELD_OUT = "tuned on", "held out"
RATE = 8000
SPEECH_DB = -30.0, -18.0
"""Of full scale: the loudness of speech, from a quiet line to a loud one."""
AFTERWARDS_S = 6.0

PEOPLE = {
    "tuned on": (
        "Hello?",
        "Hello.",
        "Yes?",
        "Hi, this is Anna.",
        "Good morning.",
        "Hello, who is speaking please?",
        "Miller.",
        "Smith and Sons, good afternoon.",
        "Yes, hello?",
        "Peter Brown speaking.",
        "Good afternoon, Northern Insurance, how can I help you?",
        "Hello! Yes, who is it?",
    ),
    "held out": (
        "Hello, hello?",
        "Hi.",
        "Yeah?",
        "Jennifer speaking.",
        "Good evening, Baker family.",
        "Hello, this is Tom.",
        "Who is this?",
        "City bakery, hello.",
        "Good afternoon, how can I help you?",
        "Schneider, good day.",
        "Thanks for calling Oak Garage, this is Simon.",
        "Hello. Hello, can you hear me?",
    ),
}
MACHINES = {
    "tuned on": (
        "Hello, you have reached the voice mail of Anna Miller. I cannot take your call right now. "
        "Please leave a message after the tone.",
        "The person you are calling is not available. Please leave a message after the beep.",
        "Hi, this is Peter. I am not here at the moment, so please leave me a message and I will "
        "call you back as soon as I can.",
        "Welcome to Smith and Sons. Our office is closed. We are open from Monday to Friday, nine "
        "to five. Please call again.",
        "Your call has been forwarded to an automated voice messaging system. At the tone, please "
        "record your message. When you have finished recording, you may hang up.",
        "Thank you for calling City Dental. All our lines are busy. Please hold the line.",
        "Hello. We are not at home. Leave your name and number and we will call back.",
        "This is the answering machine of the Baker family. Please speak after the signal.",
        "The subscriber is temporarily unavailable, please try again later.",
        "Hi! You have reached Tom. I can't come to the phone right now. Leave a message.",
    ),
    "held out": (
        "You have reached the mailbox of five five five, zero one two three. Please leave your "
        "message after the tone.",
        "Hello, this is Jennifer. Sorry that I missed your call. Leave your name, your number and "
        "a short message, and I will get back to you. Thank you.",
        "Good day. Our opening hours are from eight in the morning until six in the evening. "
        "Outside of these hours you can send us an e-mail.",
        "We are sorry, nobody can answer your call at present. Please record your message after "
        "the beep, and press the hash key when you are done.",
        "Hey, it's Mark. I'm probably driving. You know what to do.",
        "Thank you for calling Northern Insurance. For claims, press one. For new contracts, press "
        "two. For everything else, please stay on the line.",
        "Hello. You are connected with the practice of Doctor Schneider. The practice is closed "
        "until the third of August.",
        "The number you have dialled is at present not reachable. The subscriber will be informed "
        "of your call by a text message.",
        "This is a voice mail service. Please speak your message now, or hang up.",
        "Hi, Sarah here. Leave me a message after the tone and have a great day. Bye bye!",
    ),
}
VOICES = {
    "tuned on": ("en-us", "en-us+f2", "en-gb+m3", "en-gb-scotland+f4", "en-us+m7"),
    "held out": ("en-gb", "en-gb+f1", "en-us+m1", "en-gb-x-rp+f3", "en-029+m5"),
}
BEEPS_HZ = {"tuned on": (1000, 800, 1400, 440), "held out": (950, 620, 1250, 1900)}


SPEEDS, PITCHES = (135, 150, 165, 180, 195), (35, 50, 70)
"""Words a minute, and espeak-ng's pitches."""
BETWEEN_SENTENCES_S = 0.15, 0.8
"""Of a recorded greeting: people who read one pause for longer than a synthesiser."""
Noise = tuple[Literal["hiss", "babble"], float] | None
"""Kind of a line's noise, and dB against the speech; None: none but mu-law's own."""
NOISES: tuple[Noise, ...] = (None, ("hiss", -30.0), ("hiss", -20.0), ("babble", -20.0))


@dataclass(frozen=True)
class FarEnd:
    """One that answers: `by` as the detector names it, `beep` if its greeting ends with one.

    `said_ms`: the end of what it says, a beep included; 0: nothing.
    """

    by: Literal["human", "machine", "fax", "unknown"]
    text: str
    noise: Noise
    ulaw: bytes
    said_ms: int
    beep: bool = False

    def frames(self) -> Iterator[tuple[bytes, float]]:
        """Each 20 ms, with the time."""
        for start in range(0, len(self.ulaw) - 159, 160):
            yield self.ulaw[start : start + 160], start / RATE


def far_ends(half: Half, noises: tuple[Noise, ...] = NOISES) -> Iterator[FarEnd]:
    """All of one half, with each of the noises; the same each time."""
    chance = random.Random(half)
    for noise in noises:
        for number, text in enumerate(PEOPLE[half] * 2):
            yield _person(chance, half, number, text, noise)
        for number, text in enumerate(MACHINES[half] * 2):
            yield _machine(chance, half, number, text, noise)
        for _ in range(2):
            # A fax has no microphone.
            line = noise if noise is None or noise[0] == "hiss" else None
            yield _fax_that_answers(chance, line)
            yield _fax_that_calls(chance, line)
            yield _made("unknown", "", [_nothing(12)], noise=noise, chance=chance)


def _person(chance: random.Random, half: Half, number: int, text: str, noise: Noise) -> FarEnd:
    """Someone who picks up, speaks, and waits; every third one asks again after a while."""
    how = chance.choice(SPEEDS), chance.choice(PITCHES)
    spoken = _voice(half, number, text, *how)
    parts = [_nothing(chance.uniform(0.1, 1.2)), spoken]
    said = _ms(parts)
    if number % 3 == 0:
        parts += [_nothing(2.0), _voice(half, number, "Hello?", *how)]
    return _made("human", text, parts, noise=noise, chance=chance, said_ms=said)


def _machine(chance: random.Random, half: Half, number: int, text: str, noise: Noise) -> FarEnd:
    """A greeting; every second one with a beep."""
    parts = [_nothing(chance.uniform(0.0, 1.5))]
    rate, pitch = chance.choice(SPEEDS), chance.choice(PITCHES)
    for sentence in re.findall(r"[^.!?]+[.!?]+", text):
        spoken = _voice(half, number, sentence, rate, pitch)
        parts += [spoken, _nothing(chance.uniform(*BETWEEN_SENTENCES_S))]
    parts.pop()
    beep = number % 2 == (number // len(MACHINES[half])) % 2
    if beep:
        hz, ms = chance.choice(BEEPS_HZ[half]), chance.choice((200, 350, 500, 1000))
        parts += [_nothing(chance.uniform(0.2, 1.6)), tone(hz, ms)]
    return _made("machine", text, parts, noise=noise, chance=chance, said_ms=_ms(parts), beep=beep)


def _fax_that_answers(chance: random.Random, noise: Noise) -> FarEnd:
    parts = [_nothing(chance.uniform(0.2, 2.0)), tone(2100, 3300), _nothing(0.075)]
    return _made("fax", "CED", [*parts, tone(1650, 2000)], noise=noise, chance=chance)


def _fax_that_calls(chance: random.Random, noise: Noise) -> FarEnd:
    begin = [_nothing(chance.uniform(0.2, 2.0))]
    parts = begin + [tone(1100, 500), _nothing(3)] * 3
    return _made("fax", "CNG", parts, noise=noise, chance=chance)


def tone(hz: float, ms: int, peak: float = 6000.0) -> np.ndarray:
    """A sine with soft edges."""
    t = np.arange(ms * RATE // 1000) / RATE
    ramp = np.minimum(1, np.arange(len(t)) / 40)
    return np.asarray(np.sin(2 * np.pi * hz * t) * peak * ramp * ramp[::-1])


def _made(
    by: Literal["human", "machine", "fax", "unknown"],
    text: str,
    parts: list[np.ndarray],
    *,
    noise: Noise,
    chance: random.Random,
    said_ms: int = 0,
    beep: bool = False,
) -> FarEnd:
    """The parts on a line of some loudness, with its noise, as mu-law."""
    wave = np.concatenate([*parts, _nothing(AFTERWARDS_S)])
    level = 10 ** (chance.uniform(*SPEECH_DB) / 20) * 32768
    wave = wave * (level / _SPEECH)
    if noise is not None:
        kind, noise_db = noise
        made = _NOISES[kind](np.random.default_rng(chance.randrange(2**32)), len(wave))
        wave = wave + made / made.std() * level * 10 ** (noise_db / 20)
    pcm = np.clip(wave, -32768, 32767).astype("<i2").tobytes()
    return FarEnd(by, text, noise, g711.encode(pcm), said_ms, beep)


def _hiss(chance: np.random.Generator, size: int) -> np.ndarray:
    """Noise of a line, which is less hiss than hum and rumble."""
    made = chance.normal(size=size + 3)
    return np.asarray(made[3:] + 0.8 * made[2:-1] + 0.5 * made[1:-2] + 0.3 * made[:-3])


def _babble(chance: np.random.Generator, size: int) -> np.ndarray:
    """Six people who talk elsewhere in the room, all the time."""
    made = np.zeros(size)
    for number in range(6):
        text = MACHINES[TUNED_ON if number % 2 else HELD_OUT][number]
        spoken = _espeak(text, VOICES[TUNED_ON][number % 5], 165, 50)
        made += np.roll(np.resize(spoken, size), int(chance.integers(size)))
    return made


_NOISES = {"hiss": _hiss, "babble": _babble}
_SPEECH = 3000.0
"""RMS of speech before it is made louder or quieter."""


def _voice(half: Half, number: int, text: str, words_a_minute: int, pitch: int) -> np.ndarray:
    """The text, spoken by one of the half's voices; as loud on average as every other one."""
    voice = VOICES[half][number % len(VOICES[half])]
    spoken = _espeak(text.strip(), voice, words_a_minute, pitch)
    loud = spoken[np.abs(spoken) > 300]
    return spoken * (_SPEECH / np.sqrt((loud**2).mean()))


@cache
def _espeak(text: str, voice: str, words_a_minute: int, pitch: int) -> np.ndarray:
    spoken = subprocess.run(
        ["espeak-ng", "--stdout", "-v", voice, "-s", str(words_a_minute), "-p", str(pitch), text],
        capture_output=True,
        check=True,
    ).stdout
    wave = np.frombuffer(telephone_rate(spoken), "<i2").astype(float)
    loud = np.flatnonzero(np.abs(wave) > 200)
    return np.asarray(wave[loud[0] : loud[-1] + 1])


def _nothing(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


def _ms(parts: list[np.ndarray]) -> int:
    return sum(map(len, parts)) * 1000 // RATE
