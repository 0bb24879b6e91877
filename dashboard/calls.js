// The list of calls, live: ringing ones on top, then the newest. Pages come from the API, what happens
// meanwhile from the feed; both meet in `feed.calls`.

import { get } from "./api.js";
import { callRow } from "./callrow.js";
import { fill, h, say, sync } from "./dom.js";
import { calls, learn, onCalls } from "./feed.js";
import { choice } from "./form.js";
import { button, empty, heading, problemBox, skeleton } from "./ui.js";
import { STATES } from "./words.js";

const PAGE = 50;
const A_FRAME = 25; // rows touched in one frame: a burst must not hold the page up

export function show(_, signal) {
  const state = choice([["", "Any state"], ...Object.entries(STATES).map(([id, [, text]]) => [id, text])]);
  const direction = choice([
    ["", "Both directions"],
    ["inbound", "Inbound"],
    ["outbound", "Outbound"],
  ]);
  state.setAttribute("aria-label", "State");
  direction.setAttribute("aria-label", "Direction");
  const ringing = h("ul", { class: "rows", "aria-label": "Ringing calls" });
  const others = h("ul", { class: "rows", "aria-label": "Calls" });
  const ringingPart = h(
    "section",
    { class: "card ringing", "aria-label": "Ringing now" },
    h("h2", {}, "Ringing now"),
    ringing,
  );
  const note = h("div");
  const count = h("p", { class: "fine" });
  const more = button("Load more", () => nextPage(), { doing: "Loading…" });
  const list = new CallList(ringing, others, ringingPart, count);
  let cursor, page;

  async function nextPage() {
    const asked = { state: state.value, direction: direction.value };
    const current = (page = Symbol("page"));
    const found = await get("calls", { ...asked, limit: PAGE, cursor }, signal);
    if (current !== page) return; // the filter was changed meanwhile
    cursor = found.next_cursor;
    learn(found.calls);
    list.add(found.calls.map((call) => call.call_id));
    more.hidden = !cursor;
    fill(
      note,
      list.size === 0 &&
        (asked.state || asked.direction
          ? empty(
              "No such calls",
              cursor ? "None on this page; there are older ones." : "Choose another state or direction.",
            )
          : empty(
              "No calls yet",
              "Call one of your numbers, from any phone or from this browser: Test call.",
              h("a", { class: "button", href: "#/numbers" }, "To your numbers"),
            )),
    );
  }

  async function begin() {
    cursor = undefined;
    more.hidden = true;
    list.filter(state.value, direction.value);
    fill(note, skeleton(5));
    try {
      await nextPage();
    } catch (problem) {
      if (problem.name !== "AbortError")
        fill(note, problemBox(problem, h("button", { type: "button", onclick: begin }, "Try again")));
    }
  }

  state.addEventListener("change", begin);
  direction.addEventListener("change", begin);
  onCalls((ids) => {
    list.touch(ids);
    if (list.size) note.querySelector(".empty")?.remove();
  }, signal);
  begin();
  return h(
    "div",
    {},
    heading("Calls", "They appear here as they happen.", h("a", { class: "button primary", href: "#/dial" }, "Dial")),
    ringingPart,
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

/** Which calls are shown, and where. `held` are the calls as they are drawn; `calls` may be ahead. */
class CallList {
  constructor(ringing, others, ringingPart, count) {
    Object.assign(this, { ringing, others, ringingPart, count });
    this.filter("", "");
  }

  /** Begins anew, with the calls that are not over. */
  filter(state, direction) {
    this.passes = (call) => (!state || call.state === state) && (!direction || call.direction === direction);
    this.held = new Map();
    this.waiting = new Set();
    this.add([...calls.values()].filter((call) => !call.ended_at).map((call) => call.call_id));
  }

  add(ids) {
    for (const id of ids) this.held.set(id, calls.get(id));
    this.draw();
  }

  /** These have changed. Many at once are taken over several frames. */
  touch(ids) {
    const idle = !this.waiting.size;
    for (const id of ids) this.waiting.add(id);
    if (idle) this.next();
  }

  next() {
    const batch = [...this.waiting].slice(0, A_FRAME);
    for (const id of batch) this.waiting.delete(id);
    this.add(batch);
    if (this.waiting.size) requestAnimationFrame(() => this.next());
  }

  draw() {
    const all = [...this.held.values()].filter((call) => call && this.passes(call));
    const rings = (call) => call.state === "ringing" && call.direction === "inbound";
    const newestFirst = (a, b) => (a.created_at < b.created_at ? 1 : -1);
    const ringing = all.filter(rings).sort((a, b) => (a.ring_deadline < b.ring_deadline ? -1 : 1));
    const others = all.filter((call) => !rings(call)).sort(newestFirst);
    this.size = all.length;
    sync(this.ringing, ringing, (call) => call.call_id, callRow);
    sync(this.others, others, (call) => call.call_id, callRow);
    this.ringingPart.hidden = !ringing.length;
    say(this.count, `${all.length} shown`);
  }
}
