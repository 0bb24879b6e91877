"""Tests of WAV files and mu-law in the client, against the relay's tables and NumPy."""

from __future__ import annotations

import array
import math
import wave

import numpy as np
import pytest

from chamade.audio import sound
from chamade.audio.line import Format
from common.g711 import DECODE_TABLE, ENCODE_TABLE

MULAW = Format("mulaw", 8000)


def test_mulaw_encoding_equals_g711_bit_for_bit():
    every = bytes(range(256))
    assert np.array_equal(np.frombuffer(sound.decode(every, MULAW), "<i2"), DECODE_TABLE)
    samples = np.arange(-32768, 32768, dtype="<i2")
    assert sound.encode(samples.tobytes(), MULAW) == ENCODE_TABLE[samples.view(np.uint16)].tobytes()


def tone(hz: float, rate: int, seconds: float = 0.5) -> array.array:
    count = int(rate * seconds)
    return array.array(
        "h", (int(9000 * math.sin(2 * math.pi * hz * n / rate)) for n in range(count))
    )


def loudest(samples: array.array, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.array(samples, float)))
    return int(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("wanted", [8000, 16000, 24000])
def test_resampling_keeps_the_frequency_of_a_tone(rate, wanted):
    there = sound.resample(tone(700, rate), rate, wanted)
    assert len(there) == pytest.approx(wanted / 2, abs=2)
    assert loudest(there, wanted) == pytest.approx(700, abs=3)
    assert max(there) == pytest.approx(9000, rel=0.15)


def test_resampling_does_not_alias_high_frequencies():
    folded = sound.resample(tone(15_000, 48_000), 48_000, 8000)
    assert max(map(abs, folded)) < 2000


def test_stereo_is_mixed_to_mono(tmp_path):
    path, left = tmp_path / "stereo.wav", tone(500, 8000)
    both = array.array("h", (value for one in left for value in (one, 0)))
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(both.tobytes())
    mono = np.frombuffer(sound.read_wav(path, Format(rate=8000)), "<i2")
    assert np.abs(mono - np.array(left) // 2).max() <= 1


def test_a_file_that_is_no_wav_is_an_error(tmp_path):
    path = tmp_path / "odd.wav"
    path.write_bytes(b"RIFF....")
    with pytest.raises(ValueError, match=r"odd\.wav"):
        sound.read_wav(path, Format())
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100))
    with pytest.raises(ValueError, match="8 bits"):
        sound.read_wav(path, Format())


@pytest.mark.parametrize("line_format", [Format(), MULAW])
def test_a_written_recording_reads_back_identically(tmp_path, line_format):
    encoded = sound.encode(tone(500, line_format.rate).tobytes(), line_format)
    with sound.WavWriter(tmp_path / "heard.wav", line_format) as file:
        file.write(encoded[:320])
        file.write(encoded[320:])
        assert file.seconds == pytest.approx(0.5)
    assert sound.read_wav(tmp_path / "heard.wav", line_format) == encoded
