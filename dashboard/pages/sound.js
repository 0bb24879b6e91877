// The sound of a call: a picture of both sides over time with what happened when, the same as a table, and figures
// of its quality. It appears once something is known.

import {
  bandPath,
  divertedOf,
  lengthText,
  MARKS,
  rowsOf,
  stretchesOf,
  ticksOf,
  wordsOf,
} from "../api/levels.js";
import { get } from "../api/requests.js";
import { clockText } from "../api/speech.js";
import { fill, h, svg } from "../widgets/dom.js";
import { card, facts, folded } from "../widgets/ui.js";

const WIDTH = 1000;
const HEIGHT = 176;
const MIDDLE = 80;
const BAND = 70; // of each side
const LATER_MS = 3000; // the last figures of a call come about two seconds after its end
const EVERY_MS = 60_000;

/**
 * Make the card of a call's sound.
 * @returns {{node: Element, draw: (call) => void}}
 */
export function soundCard(callId, signal) {
  const sound = new SoundCard(callId, signal);
  return { node: sound.node, draw: (call) => sound.draw(call) };
}

class SoundCard {
  constructor(callId, signal) {
    this.path = `call/${encodeURIComponent(callId)}`;
    this.signal = signal;
    this.picture = h("div");
    this.figures = h("div");
    this.node = card("Sound", this.picture, this.figures);
    this.node.hidden = true;
    signal.addEventListener("abort", () => clearTimeout(this.waiting));
  }

  draw(call) {
    if (!call || !call.answered_at || this.state === call.state) return;
    this.state = call.state;
    this.look();
  }

  /** Look now, and later: once more for a call that is over, each minute for one that is not. */
  async look(again = true) {
    clearTimeout(this.waiting);
    const over = this.state !== "active";
    if (again) this.waiting = setTimeout(() => this.look(!over), over ? LATER_MS : EVERY_MS);
    try {
      const [levels, call] = await Promise.all([
        get(`${this.path}/levels`, {}, this.signal),
        get(this.path, { transcript: 100 }, this.signal),
      ]);
      this.show(levels, call);
    } catch {
      // The picture stays as it is. The rest of the page tells of problems.
    }
  }

  show(levels, call) {
    const steps = Math.max(levels.caller.length, levels.heard.length);
    this.node.hidden = !steps && !call.facts;
    const words = wordsOf(call.transcript, call.answered_at, levels.began_at);
    const open = this.picture.querySelector("details")?.open;
    fill(this.picture, steps > 0 && [picture(levels, steps, words), legend(levels, words), table(levels, words)]);
    if (open) this.picture.querySelector("details").open = true;
    fill(this.figures, call.facts && qualityFacts(call.facts));
  }
}

function picture(levels, steps, words) {
  const length = steps * levels.step_ms;
  const x = (ms) => Math.round((Math.min(Math.max(ms, 0), length) / length) * WIDTH * 10) / 10;
  const across = { width: WIDTH, base: MIDDLE, steps };
  const box = (kind, { at_ms: at, ms }, y, height, text) =>
    svg(
      "rect",
      { class: kind, x: x(at), y, width: Math.max(2, x(at + ms) - x(at)), height },
      svg("title", {}, `${clockText(Math.max(0, at))} ${text}`),
    );
  const marks = levels.marks.filter(({ type }) => ["gap", "underrun", "clear", "key"].includes(type));
  return svg(
    "svg",
    { class: "sound", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(levels, length) },
    divertedOf(levels.marks, length).map((each) => box(each.type, each, 0, MIDDLE * 2, MARKS[each.type])),
    svg("path", { class: "band caller", d: bandPath(levels.caller, { ...across, height: BAND }) }),
    svg("path", { class: "band heard", d: bandPath(levels.heard, { ...across, height: -BAND }) }),
    svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: MIDDLE, y2: MIDDLE }),
    words.map((each) => box(`word ${each.type}`, each, each.type === "caller" ? 0 : MIDDLE * 2 - 5, 5, each.text)),
    marks.map((each) => {
      const [y, height] = each.type === "gap" ? [0, MIDDLE] : [MIDDLE, MIDDLE];
      // The part that a barge-in cut was never heard: its mark is a moment.
      const place = each.type === "clear" ? { ...each, ms: 0 } : each;
      return box(each.type, place, each.type === "key" ? 0 : y, each.type === "key" ? 12 : height, MARKS[each.type]);
    }),
    ticksOf(length).map((at) =>
      svg("text", { x: x(at), y: HEIGHT - 2, "text-anchor": at ? "middle" : "start" }, clockText(at)),
    ),
  );
}

function summary({ caller, heard, marks, step_ms: stepMs }, length) {
  const sum = (levels) => stretchesOf(levels, stepMs).reduce((total, { ms }) => total + ms, 0);
  return (
    `Loudness over ${lengthText(length)}: the caller is heard for ${lengthText(sum(caller))}, and hears sound for ` +
    `${lengthText(sum(heard))}; ${marks.filter(({ type }) => type === "gap").length} gaps. The table says when.`
  );
}

function legend({ marks }, words) {
  const there = new Set(marks.map(({ type }) => type));
  const kinds = ["gap", "underrun", "clear", "key", "hold", "bridge"].filter((kind) => there.has(kind));
  const item = (kind, text) => h("span", {}, h("i", { class: kind, "aria-hidden": "true" }), text);
  return h(
    "p",
    { class: "fine legend" },
    item("caller", "Caller"),
    item("heard", "What the caller heard"),
    words.length > 0 && item("word", "Words"),
    kinds.map((kind) => item(kind, MARKS[kind])),
  );
}

const table = (levels, words) =>
  folded("The picture as a table", () =>
    h(
      "table",
      { class: "codes" },
      h("thead", {}, h("tr", {}, ["At", "What", "For"].map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        rowsOf(levels, words).map(([at, text, length]) =>
          h("tr", {}, h("td", { class: "num" }, at), h("td", {}, text), h("td", { class: "num" }, length)),
        ),
      ),
    ),
  );

/** Make the list of the figures that are known. */
function qualityFacts(known) {
  const { timeline } = known;
  const at = (name) => (timeline[name] ? Date.parse(timeline[name]) : NaN);
  const silence = at("agent_audio_at") - at("answered_at");
  const ms = (value) => value != null && `${value} ms`;
  const times = (count, total) => count != null && (count ? `${count}, ${lengthText(total)} in all` : "none");
  const rows = [
    ["First sound after", silence >= 0 && lengthText(silence)],
    ["Estimate (MOS)", known.mos != null && `${known.mos} of 4.5`],
    ["Codec", known.codec],
    ["Lost", known.loss_pct != null && `${known.loss_pct} %`],
    ["Jitter", ms(known.jitter_ms)],
    ["Round trip", ms(known.round_trip_ms)],
    ["Gaps", times(known.gaps, known.gap_ms)],
    ["Agent ran out", times(known.underruns, known.underrun_ms)],
    ["Added by us", known.added_latency_ms && `${known.added_latency_ms.p95} ms (95 of 100)`],
    ["Barge-in to silence", known.clear_to_silence_ms && `${known.clear_to_silence_ms.p95} ms (95 of 100)`],
  ];
  return facts(...rows.filter(([, value]) => value));
}
