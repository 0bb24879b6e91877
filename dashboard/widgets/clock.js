// Times on the screen, and clocks that run: an element with `data-until` counts down to that moment, one
// with `data-since` up from it. One timer moves all of them.

import { formatDuration, formatTime, serverNow } from "../api/time.js";
import { h, setText } from "./dom.js";

/** Make a `<time>`; without a time return `none`. */
export function timeElement(iso, none = "–") {
  return iso ? h("time", { datetime: iso, title: iso, class: "num" }, formatTime(iso)) : none;
}

/** Make a clock that runs: `{until: iso}` counts down, `{since: iso}` up. */
export function runningClock({ until, since }) {
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
  setText(node, formatDuration(until ? Number(until) - serverNow() + 999 : serverNow() - Number(since)));
}

setInterval(() => {
  if (!document.hidden) document.querySelectorAll("[data-until],[data-since]").forEach(turn);
}, 500);
