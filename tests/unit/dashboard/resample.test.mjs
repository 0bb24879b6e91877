// The telephone's rate and the sound card's: tones keep their pitch and level, and what the lower rate
// cannot carry is gone, not folded back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../../dashboard/call/resample.js";

const tone = (hz, rate, seconds = 0.5) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));

/** The level of `hz` in the middle of `samples`: 1 for a full tone. */
function level(samples, hz, rate) {
  const middle = samples.subarray(samples.length >> 2, (samples.length >> 2) * 3);
  let [re, im] = [0, 0];
  middle.forEach((sample, i) => {
    re += sample * Math.cos((2 * Math.PI * hz * i) / rate);
    im += sample * Math.sin((2 * Math.PI * hz * i) / rate);
  });
  return (2 * Math.hypot(re, im)) / middle.length;
}

function inPieces(resampler, samples, size) {
  const out = [];
  for (let at = 0; at < samples.length; at += size) out.push(...resampler.push(samples.subarray(at, at + size)));
  return Float32Array.from(out);
}

for (const [from, to] of [
  [48000, 8000],
  [48000, 16000],
  [44100, 8000],
  [44100, 16000],
  [96000, 8000],
  [8000, 48000],
  [16000, 44100],
  [16000, 16000],
]) {
  test(`${from} to ${to} Hz keeps a tone of 1 kHz`, () => {
    const out = inPieces(new Resampler(from, to), tone(1000, from), 128);
    assert.ok(Math.abs(level(out, 1000, to) - 1) < 0.01, `level ${level(out, 1000, to)}`);
    assert.ok(Math.abs(out.length - to / 2) < 40, `${out.length} samples`);
  });
}

test("what is above half the lower rate is 50 dB down at least", () => {
  for (const hz of [4600, 5000, 7000, 9000, 15000]) {
    const out = inPieces(new Resampler(48000, 8000), tone(hz, 48000), 128);
    assert.ok(Math.max(...out.subarray(200, -200)) < 0.00316, `${hz} Hz comes back`);
  }
});

test("going up leaves no images", () => {
  const out = inPieces(new Resampler(8000, 48000), tone(3000, 8000), 160);
  assert.ok(level(out, 5000, 48000) < 0.00316);
});

test("pieces of any size make the same stream", () => {
  const samples = tone(440, 44100, 0.1);
  const whole = new Resampler(44100, 8000).push(samples);
  const pieces = inPieces(new Resampler(44100, 8000), samples, 77);
  assert.ok(Math.abs(whole.length - pieces.length) <= 1);
  pieces.forEach((sample, i) => assert.ok(Math.abs(sample - (whole[i] ?? sample)) < 2e-3, `at ${i}`));
});
