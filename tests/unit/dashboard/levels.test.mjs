// The picture of a call as figures: bands, stretches, and the rows that say the same in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MARKS,
  bandPath,
  columnsOf,
  divertedOf,
  lengthText,
  rowsOf,
  stretchesOf,
  ticksOf,
  wordsOf,
} from "../../../dashboard/api/levels.js";

const api = JSON.parse(process.env.API_WORDS ?? "{}");

test("a long call is drawn in few columns, and its loudest moments stay", () => {
  const levels = Array.from({ length: 144_000 }, (_, step) => (step === 70_001 ? 15 : 1));
  const columns = columnsOf(levels, 500);
  assert.equal(columns.length, 500);
  assert.equal(columns.filter((level) => level === 15).length, 1);
});

test("a band is as high as it is loud, up or down from its base", () => {
  const place = { width: 100, base: 50, steps: 4 };
  assert.equal(bandPath([0, 15, 0, 0], { ...place, height: 40 }), "M0 50L0 50L25 50L25 10L50 10L50 50L75 50L75 50L100 50L100 50Z");
  assert.ok(bandPath([0, 15], { ...place, height: -40 }).includes("L25 90L50 90"));
  assert.equal(bandPath([], { ...place, height: 40 }), "");
});

test("short pauses belong to what is said, long ones do not", () => {
  const levels = [0, 9, 9, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 1];
  assert.deepEqual(stretchesOf(levels, 100), [
    { at_ms: 100, ms: 500 },
    { at_ms: 1300, ms: 100 },
  ]);
});

test("a hold lasts until the agent talks again, or to the end", () => {
  const at = (type, ms) => ({ type, at_ms: ms, ms: 0 });
  assert.deepEqual(divertedOf([at("key", 5), at("hold", 10), at("talk", 30), at("bridge", 70)], 100), [
    { type: "hold", at_ms: 10, ms: 20 },
    { type: "bridge", at_ms: 70, ms: 30 },
  ]);
});

test("the table has sound, moments and words in their order, as text", () => {
  const levels = {
    caller: [0, 0, 9, 9],
    heard: [9, 0, 0, 0],
    marks: [{ type: "clear", at_ms: 150, ms: 700 }],
    step_ms: 100,
  };
  const said = [{ speaker: "caller", text: "<b>Stop!</b>", started_ms: 100, ended_ms: 400 }];
  const words = wordsOf(said, "2026-01-01T00:00:00.100Z", "2026-01-01T00:00:00.000Z");
  assert.deepEqual(rowsOf(levels, words), [
    ["0:00", "The caller hears sound", "100 ms"],
    ["0:00", "The agent was cut short", "700 ms"],
    ["0:00", "The caller is heard", "200 ms"],
    ["0:00", "Caller: <b>Stop!</b>", "300 ms"],
  ]);
});

test("lengths and times are round", () => {
  assert.equal(lengthText(400), "400 ms");
  assert.equal(lengthText(2345), "2.3 s");
  assert.deepEqual(ticksOf(4500), [0, 1000, 2000, 3000, 4000]);
  assert.ok(ticksOf(4 * 3600 * 1000).length <= 9);
});

test("each kind of mark has its words", { skip: !api.marks }, () => {
  assert.deepEqual(Object.keys(MARKS).sort(), [...api.marks].sort());
});
