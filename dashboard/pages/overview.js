// The calls of a day, a week or a month: bars by hour or day, the same as a table, and their talk time.

import { callsSince, beginOf, KINDS, MAX_PAGES, overview, RANGES, sum, talkText } from "../api/overview.js";
import { get } from "../api/requests.js";
import { serverNow } from "../api/time.js";
import { h, svg } from "../widgets/dom.js";
import { choice } from "../widgets/form.js";
import { card, empty, facts, folded, heading, load } from "../widgets/ui.js";

const WIDTH = 1000;
const HEIGHT = 200;
const BASE = 176;

export function show(_, signal) {
  const place = h("div");
  const range = choice(Object.entries(RANGES).map(([id, [label]]) => [id, label]));
  range.setAttribute("aria-label", "Time");
  const draw = () => load(place, () => content(range.value, signal), 5);
  range.addEventListener("change", draw);
  draw();
  return h("div", {}, heading("Overview", "Your calls, counted.", range), place);
}

async function content(range, signal) {
  const now = serverNow();
  const page = (query) => get("calls", query, signal);
  const { calls, whole } = await callsSince(page, beginOf(range, now));
  if (!calls.length) return empty("No calls", `There was no call in the last ${RANGES[range][0]}.`);
  const counted = overview(calls, range, now);
  return [
    card("Calls", bars(counted, range), legend(), table(counted, range), !whole && cut()),
    card("In all", totals(counted)),
  ];
}

const cut = () =>
  h("p", { class: "fine" }, `There were more calls: the newest ${(MAX_PAGES * 100).toLocaleString("en")} are counted.`);

const timeText = (at, range) =>
  new Date(at).toLocaleString([], range === "day" ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" });

function bars({ steps, counts }, range) {
  const most = Math.max(...steps.map((step) => sum(step.counts)));
  const wide = WIDTH / steps.length;
  const nth = Math.ceil(steps.length / 8);
  return svg(
    "svg",
    {
      class: "sound bars",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `${sum(counts)} calls, ${counts.answered} of them answered. The table says when.`,
    },
    steps.map((step, at) => [
      stack(step, at * wide, wide, (BASE - 8) / most),
      at % nth === 0 &&
        svg("text", { x: Math.round(at * wide), y: HEIGHT - 4, "text-anchor": "start" }, timeText(step.at, range)),
    ]),
  );
}

/** Make the bar of one step: its kinds one above the other. */
function stack({ counts }, x, wide, unit) {
  let top = BASE;
  return Object.keys(KINDS).map((kind) => {
    if (!counts[kind]) return null;
    const height = Math.max(2, counts[kind] * unit);
    top -= height;
    const place = { x: Math.round(x + wide * 0.1), y: Math.round(top), width: Math.round(wide * 0.8), height: Math.round(height) };
    return svg("rect", { class: kind, ...place }, svg("title", {}, `${counts[kind]} ${KINDS[kind].toLowerCase()}`));
  });
}

const legend = () =>
  h(
    "p",
    { class: "fine legend" },
    Object.entries(KINDS).map(([kind, text]) => h("span", {}, h("i", { class: kind, "aria-hidden": "true" }), text)),
  );

const table = ({ steps }, range) =>
  folded("The picture as a table", () =>
    h(
      "table",
      { class: "codes" },
      h(
        "thead",
        {},
        h("tr", {}, ["From", ...Object.values(KINDS), "Talked"].map((name) => h("th", { scope: "col" }, name))),
      ),
      h(
        "tbody",
        {},
        steps
          .filter(({ counts }) => sum(counts))
          .map(({ at, counts, talked }) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, timeText(at, range)),
              Object.keys(KINDS).map((kind) => h("td", { class: "num" }, counts[kind])),
              h("td", { class: "num" }, talkText(talked)),
            ),
          ),
      ),
    ),
  );

function totals({ counts, talked }) {
  return facts(
    ["Calls", sum(counts)],
    ...Object.entries(KINDS).map(([kind, label]) => [label, counts[kind]]),
    ["Talk time", talkText(talked)],
    counts.answered > 0 && ["On average", talkText(talked / counts.answered)],
  );
}
