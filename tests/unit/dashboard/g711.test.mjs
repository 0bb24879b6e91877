// mu-law in the browser is mu-law everywhere: held to the recommendation, and by the Python test to
// `common/g711.py`, sample by sample.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LINEAR, SILENCE, encode } from "../../../dashboard/call/g711.js";

test("every code survives decoding and encoding, but the two zeros are one", () => {
  for (let code = 0; code < 256; code++) assert.equal(encode(LINEAR[code]), code === 0x7f ? 0xff : code);
});

test("the loudest and the quietest are where G.711 has them", () => {
  assert.deepEqual([LINEAR[0x80], LINEAR[0x00], LINEAR[0xff], LINEAR[0x7f]], [32124, -32124, 0, 0]);
  assert.deepEqual([encode(32767), encode(-32768), encode(0)], [0x80, 0x00, SILENCE]);
});

test("what is decoded is never farther off than half a step of its segment", () => {
  for (let sample = -32635; sample <= 32635; sample += 7) {
    const segment = 31 - Math.clz32((Math.abs(sample) + 136) >> 7);
    assert.ok(Math.abs(LINEAR[encode(sample)] - sample) <= (8 << segment) / 2 + 4, `${sample}`);
  }
});
