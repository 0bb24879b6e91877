// Calls of a day, a week, a month, counted by hour or day.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_PAGES, beginOf, callsSince, kindOf, overview, sum, talkText } from "../../../dashboard/api/overview.js";

const NOW = Date.parse("2026-11-22T15:36:40.000Z");
const HOUR = 3_600_000;
const ago = (ms) => new Date(NOW - ms).toISOString();

const call = (ms, state, talked) => ({
  created_at: ago(ms),
  state,
  answered_at: talked == null ? null : ago(ms),
  ended_at: talked == null ? null : new Date(NOW - ms + talked).toISOString(),
});

test("a call that was answered counts as such, however it ended", () => {
  assert.equal(kindOf(call(0, "failed", 1000)), "answered");
  assert.equal(kindOf(call(0, "failed")), "failed");
  assert.equal(kindOf(call(0, "missed")), "missed");
  assert.equal(kindOf(call(0, "ringing")), "other");
});

test("calls are counted in their hour, and in all", () => {
  const calls = [call(0, "ended", 0), call(5 * HOUR, "ended", 90_000), call(5 * HOUR, "missed"), call(6 * HOUR, "failed")];
  const { steps, counts, talked } = overview(calls, "day", NOW);
  assert.equal(steps.length, 24);
  assert.deepEqual(counts, { answered: 2, missed: 1, failed: 1, other: 0 });
  assert.equal(talked, 90_000);
  assert.equal(sum(steps[23].counts), 1);
  assert.deepEqual([sum(steps[18].counts), sum(steps[17].counts)], [2, 1]);
});

test("a call that goes on is talked until now; one from before the time counts nowhere", () => {
  const going = { created_at: ago(60_000), answered_at: ago(60_000), ended_at: null, state: "active" };
  const { counts, talked } = overview([going, call(30 * HOUR, "ended", 5000)], "day", NOW);
  assert.deepEqual([counts.answered, talked], [1, 60_000]);
});

test("weeks and months begin at midnight here, and have a step for each day", () => {
  for (const [range, days] of [["week", 7], ["month", 30]]) {
    const { steps } = overview([], range, NOW);
    assert.equal(steps.length, days);
    assert.equal(new Date(steps[0].at).getHours(), 0);
  }
});

test("pages are read until the time is over", async () => {
  const pages = [
    { calls: Array.from({ length: 100 }, () => call(HOUR, "ended", 1)), next_cursor: "b" },
    { calls: [call(HOUR, "ended", 1), call(40 * HOUR, "ended", 1)], next_cursor: "c" },
  ];
  const asked = [];
  const read = await callsSince(async (query) => asked.push(query.cursor) && pages.shift(), beginOf("day", NOW));
  assert.deepEqual([read.calls.length, read.whole, asked], [101, true, [undefined, "b"]]);
});

test("of too many calls the newest are read, and it says so", async () => {
  let pages = 0;
  const page = async () => {
    pages += 1;
    return { calls: Array.from({ length: 100 }, () => call(HOUR, "ended", 1)), next_cursor: "more" };
  };
  const { whole } = await callsSince(page, beginOf("day", NOW));
  assert.deepEqual([pages, whole], [MAX_PAGES, false]);
});

test("talk times read like people say them", () => {
  assert.deepEqual([0, 20_000, 90_000, 7_500_000].map(talkText), ["0 min", "20 s", "2 min", "2 h 5 min"]);
});
