// The server's time, and how times and durations are written. One timer moves every clock there is:
// an element with `data-until` counts down to that moment, one with `data-since` up from it.

import { h, say } from "./dom.js";

let lowest = -Infinity;
let highest = Infinity;

/**
 * Learns how far the server's clock is ahead of ours from an answer's `Date`, which has whole
 * seconds only: each answer bounds the difference, and many bound it closely.
 * @param {string|null} date the header @param {number} sent @param {number} received epoch ms, ours
 */
export function learnTime(date, sent, received) {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return;
  const [low, high] = [server - received, server + 1000 - sent];
  lowest = Math.max(lowest, low);
  highest = Math.min(highest, high);
  if (lowest > highest) [lowest, highest] = [low, high]; // somebody set a clock
}

/** Now, by the server's clock (epoch ms). */
export function serverNow() {
  return Date.now() + (Number.isFinite(lowest) ? (lowest + highest) / 2 : 0);
}

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** `14:03:22`, and with its date if that is not today's. */
export function when(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date(serverNow()).toDateString();
  return today ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`;
}

/** A `<time>`; `none` stands for no time. */
export function timeOf(iso, none = "–") {
  return iso ? h("time", { datetime: iso, title: iso, class: "num" }, when(iso)) : none;
}

/** `1:05`, `2:00:09`, of milliseconds. */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** A running clock: `{until: iso}` counts down, `{since: iso}` up. */
export function clock({ until, since }) {
  const node = h("span", {
    class: "num",
    role: "timer",
    "data-until": until && Date.parse(until),
    "data-since": since && Date.parse(since),
  });
  turn(node);
  return node;
}

function turn(node) {
  const { until, since } = node.dataset;
  // A countdown shows the second that has begun, so it is 0:00 only when it is over.
  say(node, span(until ? Number(until) - serverNow() + 999 : serverNow() - Number(since)));
}

setInterval(() => {
  if (!document.hidden) document.querySelectorAll("[data-until],[data-since]").forEach(turn);
}, 500);
