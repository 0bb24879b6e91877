// The list of calls, live: ringing ones on top, then the newest. Pages come from the API, what happens
// meanwhile from the feed; both meet in the feed's `calls`.

import { calls, mergeCalls, onCalls } from "../api/feed.js";
import { CALL_STATES } from "../api/labels.js";
import { get } from "../api/requests.js";
import { button } from "../widgets/button.js";
import { callRow } from "../widgets/callrow.js";
import { fill, h, setText, syncRows } from "../widgets/dom.js";
import { choice } from "../widgets/form.js";
import { empty, heading, problemBox, skeleton } from "../widgets/ui.js";

const PAGE_SIZE = 50;
const ROWS_A_FRAME = 25; // drawn in one frame: a burst must not hold the page up

export function show(_, signal) {
  const ringing = h("ul", { class: "rows", "aria-label": "Ringing calls" });
  const others = h("ul", { class: "rows", "aria-label": "Calls" });
  const title = h("h2", {}, "Ringing now");
  const ringingCard = h("section", { class: "card ringing", "aria-label": "Ringing now" }, title, ringing);
  const count = h("p", { class: "fine" });
  const { state, direction, note, more } = new Pager(new CallList(ringing, others, ringingCard, count), signal);
  return h(
    "div",
    {},
    heading("Calls", "They appear here as they happen.", h("a", { class: "button primary", href: "#/dial" }, "Dial")),
    ringingCard,
    h(
      "section",
      { class: "card", "aria-label": "All calls" },
      h("div", { class: "filters" }, state, direction, count),
      others,
      note,
      more,
    ),
  );
}

/** The filters of the list, and its pages from the API. */
class Pager {
  constructor(list, signal) {
    this.list = list;
    this.signal = signal;
    this.state = this.filter("State", [
      ["", "Any state"],
      ...Object.entries(CALL_STATES).map(([id, [, text]]) => [id, text]),
    ]);
    this.direction = this.filter("Direction", [
      ["", "Both directions"],
      ["inbound", "Inbound"],
      ["outbound", "Outbound"],
    ]);
    this.note = h("div");
    this.more = button("Load more", () => this.next(), { doing: "Loading…" });
    const update = (ids) => {
      list.update(ids);
      if (list.size) this.note.querySelector(".empty")?.remove();
    };
    onCalls(update, signal);
    this.begin();
  }

  filter(label, options) {
    const node = choice(options);
    node.setAttribute("aria-label", label);
    node.addEventListener("change", () => this.begin());
    return node;
  }

  async begin() {
    this.cursor = undefined;
    this.more.hidden = true;
    this.list.filter(this.state.value, this.direction.value);
    fill(this.note, skeleton(5));
    try {
      await this.next();
    } catch (problem) {
      const again = h("button", { type: "button", onclick: () => this.begin() }, "Try again");
      if (problem.name !== "AbortError") fill(this.note, problemBox(problem, again));
    }
  }

  async next() {
    const filters = { state: this.state.value, direction: this.direction.value };
    const current = (this.page = Symbol("page"));
    const page = await get("calls", { ...filters, limit: PAGE_SIZE, cursor: this.cursor }, this.signal);
    if (current !== this.page) return; // the filter was changed meanwhile
    this.cursor = page.next_cursor;
    mergeCalls(page.calls);
    this.list.add(page.calls.map((call) => call.call_id));
    this.more.hidden = !this.cursor;
    fill(this.note, this.list.size === 0 && this.emptyNote(filters));
  }

  emptyNote({ state, direction }) {
    if (!state && !direction)
      return empty(
        "No calls yet",
        "Call one of your numbers, from any phone or from this browser: Test call.",
        h("a", { class: "button", href: "#/numbers" }, "To your numbers"),
      );
    const text = this.cursor ? "None on this page; there are older ones." : "Choose another state or direction.";
    return empty("No such calls", text);
  }
}

/** The calls that are shown. `drawn` has them as they are on the screen; the feed's `calls` may be ahead. */
class CallList {
  constructor(ringing, others, ringingCard, count) {
    Object.assign(this, { ringing, others, ringingCard, count });
    this.filter("", "");
  }

  /** Set the filter; begin with the calls that are not over. */
  filter(state, direction) {
    this.passes = (call) => (!state || call.state === state) && (!direction || call.direction === direction);
    this.drawn = new Map();
    this.waiting = new Set();
    this.add([...calls.values()].filter((call) => !call.ended_at).map((call) => call.call_id));
  }

  add(ids) {
    for (const id of ids) this.drawn.set(id, calls.get(id));
    this.draw();
  }

  /** Draw calls that have changed: many at once over several frames. */
  update(ids) {
    const idle = !this.waiting.size;
    for (const id of ids) this.waiting.add(id);
    if (idle) this.drawNext();
  }

  drawNext() {
    const batch = [...this.waiting].slice(0, ROWS_A_FRAME);
    for (const id of batch) this.waiting.delete(id);
    this.add(batch);
    if (this.waiting.size) requestAnimationFrame(() => this.drawNext());
  }

  draw() {
    const all = [...this.drawn.values()].filter((call) => call && this.passes(call));
    const rings = (call) => call.state === "ringing" && call.direction === "inbound";
    const newestFirst = (a, b) => (a.created_at < b.created_at ? 1 : -1);
    const ringing = all.filter(rings).sort((a, b) => (a.ring_deadline < b.ring_deadline ? -1 : 1));
    const others = all.filter((call) => !rings(call)).sort(newestFirst);
    this.size = all.length;
    syncRows(this.ringing, ringing, (call) => call.call_id, callRow);
    syncRows(this.others, others, (call) => call.call_id, callRow);
    this.ringingCard.hidden = !ringing.length;
    setText(this.count, `${all.length} shown`);
  }
}
