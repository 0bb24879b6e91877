// The deliveries to one webhook endpoint, try by try, and sending one again.

import { DELIVERY_ERRORS, DELIVERY_STATES } from "../api/deliveries.js";
import { get, post } from "../api/requests.js";
import { serverNow } from "../api/time.js";
import { button, toast } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { jsonDetails } from "../widgets/copyable.js";
import { fill, h, syncRows } from "../widgets/dom.js";
import { choice } from "../widgets/form.js";
import { badge, card, empty, load, problemBox, skeleton } from "../widgets/ui.js";

const REFRESH_MS = 2500; // while something is on its way
const SOON_MS = 15000; // a next try that is worth waiting for

/** The list of an endpoint's deliveries. */
export class Deliveries {
  constructor(path, signal) {
    this.path = path;
    this.signal = signal;
    this.list = h("ul", { class: "rows", "aria-label": "Deliveries" });
    this.note = h("div");
    this.state = choice([["", "Any state"], ...Object.entries(DELIVERY_STATES).map(([id, [, text]]) => [id, text])]);
    this.state.setAttribute("aria-label", "State of deliveries");
    this.state.addEventListener("change", () => this.begin());
    this.rows = [];
    this.more = button("Load more", () => this.next(), { doing: "Loading…" });
    this.more.hidden = true;
    fill(this.note, skeleton(2));
    this.node = card(
      "Deliveries",
      h(
        "div",
        { class: "filters" },
        this.state,
        button("Refresh", () => this.begin(), { class: "small" }),
      ),
      this.list,
      this.note,
      this.more,
    );
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.begin();
  }

  async begin() {
    await this.fetch(undefined, (page) => {
      this.rows = page.deliveries;
      this.cursor = page.next_cursor;
    });
  }

  async next() {
    await this.fetch(this.cursor, (page) => {
      this.rows.push(...page.deliveries);
      this.cursor = page.next_cursor;
    });
  }

  /** Load the newest again; older ones that were loaded stay. */
  async refresh() {
    await this.fetch(undefined, ({ deliveries }) => {
      const ids = new Set(deliveries.map((each) => each.delivery_id));
      this.rows = [...deliveries, ...this.rows.filter((each) => !ids.has(each.delivery_id))];
    });
  }

  async fetch(cursor, take) {
    const latest = (this.latest = Symbol("page")); // of several under way the last one counts
    try {
      const page = await get(`${this.path}/deliveries`, { state: this.state.value, limit: 25, cursor }, this.signal);
      if (latest !== this.latest) return;
      take(page);
      this.draw();
    } catch (problem) {
      if (problem.name !== "AbortError") fill(this.note, problemBox(problem));
    }
  }

  /** Refresh in a moment. */
  refreshSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  draw() {
    const version = (each) => `${each.delivery_id} ${each.updated_at} ${each.state} ${each.attempts}`;
    syncRows(this.list, this.rows, version, (each) => ({ node: this.row(each) }));
    fill(this.note, !this.rows.length && empty("Nothing sent yet", "Send a test, or wait for the next event."));
    this.more.hidden = !this.cursor;
    clearTimeout(this.timer);
    // A next try that is minutes away is not waited for.
    const soon = (each) => !each.next_at || Date.parse(each.next_at) - serverNow() < SOON_MS;
    if (this.rows.some((each) => each.state === "pending" && soon(each))) this.refreshSoon();
  }

  row(delivery) {
    const tries = h("div");
    const details = h("details", {}, h("summary", {}, "Tries and body"), tries);
    const path = `${this.path}/deliveries/${delivery.delivery_id}`;
    const loadTries = () => load(tries, async () => triesAndBody(await get(path, {}, this.signal)), 2);
    details.addEventListener("toggle", () => details.open && loadTries());
    const replay = async () => {
      await post(`${path}/replay`);
      toast("It is sent again.");
      await this.begin();
    };
    return h(
      "li",
      { class: "row two" },
      h(
        "div",
        {},
        h("p", {}, h("span", { class: "strong" }, delivery.type), " ", deliveryBadge(delivery)),
        h("p", { class: "fine num" }, summary(delivery)),
      ),
      h("div", { class: "actions" }, button("Replay", replay, { class: "small", label: `Replay ${delivery.type}` })),
      details,
    );
  }
}

function deliveryBadge({ state, attempts }) {
  if (state === "pending" && attempts > 0) return badge("Trying again", "warn");
  const [tone, text] = DELIVERY_STATES[state] ?? ["quiet", state];
  return badge(text, tone);
}

/** List a delivery's time, its number of tries, and the outcome of the last one. */
function summary({ created_at: at, attempts, status, error, action, next_at: next }) {
  const [code] = (error ?? "").split(":");
  const outcome = [
    status && `HTTP ${status}`,
    error && `${code}: ${DELIVERY_ERRORS[code] ?? ""}`,
    action && `${action.action}: ${action.result}`,
  ].filter(Boolean);
  return [
    timeElement(at),
    ` · ${attempts} ${attempts === 1 ? "try" : "tries"}`,
    outcome.length > 0 && ` · ${outcome.join(" · ")}`,
    next && [" · next ", timeElement(next)],
  ];
}

function triesAndBody({ body, tries, event_id: id }) {
  return [
    h(
      "ol",
      { class: "timeline" },
      tries.map((each) =>
        h(
          "li",
          {},
          timeElement(each.at),
          badge(
            each.status ? `HTTP ${each.status}` : "No answer",
            each.status >= 200 && each.status < 300 ? "good" : "bad",
          ),
          h("span", { class: "fine num" }, `${each.latency_ms} ms`),
          each.error && h("span", {}, each.error),
          each.answer && h("code", {}, each.answer),
        ),
      ),
    ),
    h("p", { class: "fine" }, "webhook-id ", h("code", {}, id)),
    jsonDetails(body, "What is posted"),
  ];
}
