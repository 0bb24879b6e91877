// The picture of a call, as figures: how loud both sides were over time, and what happened when. Levels come from
// `GET /api/call/{id}/levels`: 0 (silence) to 15 (full scale), one for each step. Nothing here touches the screen.

import { clockText } from "./speech.js";

export const FULL = 15;
const LOUD = 3; // from this level on somebody speaks
const PAUSE_MS = 600; // a shorter silence belongs to what is said
const MAX_ROWS = 300; // of the table

/** Words for what happened at a moment. */
export const MARKS = {
  gap: "Nothing came from the caller",
  underrun: "The agent's audio ran out",
  clear: "The agent was cut short",
  key: "The caller pressed a key",
  stream: "Audio connected",
  agent: "Agent connected",
  hold: "On hold",
  bridge: "Connected with another call",
  talk: "Back with the agent",
};

/** Return the highest level of each of at most `columns` stretches of the same length. */
export function columnsOf(levels, columns) {
  const each = Math.max(1, Math.ceil(levels.length / columns));
  return Array.from({ length: Math.ceil(levels.length / each) }, (_, at) =>
    Math.max(...levels.slice(at * each, (at + 1) * each)),
  );
}

/**
 * Return the outline of a band as an SVG path: as high as it is loud, from `base` up (or down, if `height` is
 * negative), `width` wide for `steps` steps.
 */
export function bandPath(levels, { width, base, height, steps, columns = 500 }) {
  if (!levels.length || !steps) return "";
  const tops = columnsOf(levels, columns);
  const each = Math.max(1, Math.ceil(levels.length / columns));
  const x = (column) => round(Math.min(width, (column * each * width) / steps));
  const points = tops.map((top, at) => {
    const y = round(base - (top / FULL) * height);
    return `L${x(at)} ${y}L${x(at + 1)} ${y}`;
  });
  return `M0 ${base}${points.join("")}L${x(tops.length)} ${base}Z`;
}

/** Return the stretches in which a side is heard: `{at_ms, ms}`, in order. */
export function stretchesOf(levels, stepMs) {
  const found = [];
  levels.forEach((level, step) => {
    if (level < LOUD) return;
    const at = step * stepMs;
    const last = found.at(-1);
    if (last && at - (last.at_ms + last.ms) < PAUSE_MS) last.ms = at + stepMs - last.at_ms;
    else found.push({ at_ms: at, ms: stepMs });
  });
  return found;
}

/** Return the times in which the caller heard a source or another call: from such a mark to the next. */
export function divertedOf(marks, endMs) {
  const turns = marks.filter(({ type }) => ["hold", "bridge", "talk"].includes(type));
  return turns
    .map(({ type, at_ms: at }, turn) => ({ type, at_ms: at, ms: (turns[turn + 1]?.at_ms ?? endMs) - at }))
    .filter(({ type }) => type !== "talk");
}

/** Return the words of a transcript as moments of the picture, which begins at `beganAt` (ISO). */
export function wordsOf(transcript, answeredAt, beganAt) {
  const ahead = Date.parse(answeredAt) - Date.parse(beganAt);
  if (Number.isNaN(ahead)) return [];
  return (transcript ?? []).map((entry) => ({
    type: entry.speaker,
    at_ms: entry.started_ms + ahead,
    ms: Math.max(0, entry.ended_ms - entry.started_ms),
    text: entry.text,
  }));
}

/**
 * Return the rows of the table that says what the picture shows, in order: `[at, what, length]`, as text. There
 * are at most 300.
 */
export function rowsOf({ caller, heard, marks, step_ms: stepMs }, words = []) {
  const rows = [
    ...stretchesOf(caller, stepMs).map((each) => ({ ...each, text: "The caller is heard" })),
    ...stretchesOf(heard, stepMs).map((each) => ({ ...each, text: "The caller hears sound" })),
    ...marks.map((each) => ({ ...each, text: MARKS[each.type] ?? each.type })),
    ...words.map((each) => ({ ...each, text: `${each.type === "caller" ? "Caller" : "Agent"}: ${each.text}` })),
  ];
  return rows
    .sort((a, b) => a.at_ms - b.at_ms)
    .slice(0, MAX_ROWS)
    .map(({ at_ms: at, ms, text }) => [clockText(Math.max(0, at)), text, ms > 0 ? lengthText(ms) : ""]);
}

/** Return how long something took, as people read it. */
export const lengthText = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

/**
 * Return the moments of the time axis below a picture of so long, in ms: at most eight, at round times.
 * @param {number} lengthMs
 */
export function ticksOf(lengthMs) {
  const sizes = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600].map((seconds) => seconds * 1000);
  const size = sizes.find((each) => lengthMs / each <= 8) ?? sizes.at(-1);
  return Array.from({ length: Math.floor(lengthMs / size) + 1 }, (_, at) => at * size);
}

const round = (number) => Math.round(number * 10) / 10;
