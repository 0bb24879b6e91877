// One webhook endpoint: on or off, its settings and secret, a test; and what was sent to it, try by try.

import { del, get, patch, post } from "./api.js";
import { fill, h, say, sync } from "./dom.js";
import { onEvents } from "./feed.js";
import { choice, field, form } from "./form.js";
import { serverNow, timeOf } from "./time.js";
import { badge, button, card, confirm, empty, facts, load, problemBox, raw, showSecret, skeleton, toast, toggle } from "./ui.js";
import { endpointBadge, eventsText, kindsField, SECRET_TEXT } from "./webhooks.js";
import { DELIVERY_ERRORS, DELIVERY_STATES } from "./words.js";

const AGAIN_MS = 2500; // while something is on its way
const SOON_MS = 15000; // a next try that is worth waiting for

export function show(id, signal) {
  const path = `webhooks/${encodeURIComponent(id)}`;
  const title = h("h1", { tabindex: -1 }, "Endpoint");
  const place = h("div");
  const deliveries = new Deliveries(path, signal);
  onEvents(() => deliveries.soon(), signal); // what has happened is most likely being sent
  load(place, async () => {
    const endpoint = await get(path, {}, signal);
    say(title, endpoint.label || endpoint.url);
    return [settings(endpoint, path, title, deliveries), deliveries.node];
  });
  return h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/webhooks" }, "← Webhooks")),
    h("header", { class: "top" }, title),
    place,
  );
}

function settings(endpoint, path, title, deliveries) {
  const state = h("p");
  const known = h("div");
  const on = toggle("Enabled", endpoint.enabled, (enabled) => patch(path, { enabled }).then(changed));
  const test = button("Send test", async () => {
    await post(`${path}/test`);
    toast("A test is on its way.");
    deliveries.begin();
  });
  const rotate = button("Rotate secret", async () => {
    if (
      !(await confirm(
        "Rotate the secret?",
        "You get a new one. For a day deliveries are signed with both, so that nothing is lost while you change it.",
        "Rotate",
      ))
    )
      return;
    const made = await post(`${path}/rotate-secret`, {});
    changed(made);
    await showSecret("The new secret", SECRET_TEXT, made.secret, "the secret");
  });
  const remove = button(
    "Delete",
    async () => {
      if (
        !(await confirm(
          "Delete the endpoint?",
          "Nothing is posted to it any more, and what was sent to it cannot be seen.",
          "Delete the endpoint",
        ))
      )
        return;
      await del(path);
      toast("The endpoint is deleted.");
      location.hash = "#/webhooks";
    },
    { class: "danger" },
  );
  const url = field({ name: "url", label: "URL", type: "url", value: endpoint.url, required: true });
  const label = field({ name: "label", label: "Label", value: endpoint.label, attributes: { maxlength: 100 } });
  const kinds = kindsField(endpoint.events);
  function changed(now) {
    say(title, now.label || now.url);
    fill(state, endpointBadge(now));
    on.show(now.enabled);
    fill(
      known,
      facts(
        ["URL", h("code", {}, now.url)],
        ["Events", eventsText(now)],
        ["Failing since", now.failing_since && timeOf(now.failing_since)],
        ["Old secret until", now.previous_secret_until && timeOf(now.previous_secret_until)],
        ["Created", timeOf(now.created_at)],
      ),
    );
  }
  changed(endpoint);
  const send = async (values) => {
    changed(await patch(path, { ...values, events: kinds.read() }));
    toast("Saved.");
  };
  return card(
    "Endpoint",
    state,
    known,
    on.node,
    h("div", { class: "actions" }, test, rotate, remove),
    h(
      "details",
      {},
      h("summary", {}, "Change settings"),
      form({ fields: [url, label], layout: [url.node, label.node, kinds.node], submit: "Save", send }),
    ),
  );
}

class Deliveries {
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

  /** The newest anew; older ones that were loaded stay. */
  async refresh() {
    await this.fetch(undefined, ({ deliveries }) => {
      const ids = new Set(deliveries.map((each) => each.delivery_id));
      this.rows = [...deliveries, ...this.rows.filter((each) => !ids.has(each.delivery_id))];
    });
  }

  async fetch(cursor, take) {
    const asked = (this.asked = Symbol("page")); // of several under way the last one counts
    try {
      const page = await get(`${this.path}/deliveries`, { state: this.state.value, limit: 25, cursor }, this.signal);
      if (asked !== this.asked) return;
      take(page);
      this.draw();
    } catch (problem) {
      if (problem.name !== "AbortError") fill(this.note, problemBox(problem));
    }
  }

  /** Once more in a moment. */
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), AGAIN_MS);
  }

  draw() {
    const version = (each) => `${each.delivery_id} ${each.updated_at} ${each.state} ${each.attempts}`;
    sync(this.list, this.rows, version, (each) => ({ node: this.row(each) }));
    fill(this.note, !this.rows.length && empty("Nothing sent yet", "Send a test, or wait for the next event."));
    this.more.hidden = !this.cursor;
    clearTimeout(this.timer);
    // What waits for its next try in minutes is not looked at again by itself.
    const soon = (each) => !each.next_at || Date.parse(each.next_at) - serverNow() < SOON_MS;
    if (this.rows.some((each) => each.state === "pending" && soon(each))) this.soon();
  }

  row(delivery) {
    const again = delivery.state === "pending" && delivery.attempts > 0;
    const [tone, text] = again
      ? ["warn", "Trying again"]
      : (DELIVERY_STATES[delivery.state] ?? ["quiet", delivery.state]);
    const tries = h("div");
    const details = h("details", {}, h("summary", {}, "Tries and body"), tries);
    const path = `${this.path}/deliveries/${delivery.delivery_id}`;
    details.addEventListener(
      "toggle",
      () => details.open && load(tries, async () => told(await get(path, {}, this.signal)), 2),
    );
    const replay = button(
      "Replay",
      async () => {
        await post(`${path}/replay`);
        toast("It is sent again.");
        await this.begin();
      },
      { class: "small", label: `Replay ${delivery.type}` },
    );
    const what = [
      delivery.status && `HTTP ${delivery.status}`,
      delivery.error && `${delivery.error.split(":")[0]}: ${DELIVERY_ERRORS[delivery.error.split(":")[0]] ?? ""}`,
      delivery.action && `${delivery.action.action}: ${delivery.action.result}`,
    ].filter(Boolean);
    return h(
      "li",
      { class: "row two" },
      h(
        "div",
        {},
        h("p", {}, h("span", { class: "strong" }, delivery.type), " ", badge(text, tone)),
        h(
          "p",
          { class: "fine num" },
          timeOf(delivery.created_at),
          ` · ${delivery.attempts} ${delivery.attempts === 1 ? "try" : "tries"}`,
          what.length > 0 && ` · ${what.join(" · ")}`,
          delivery.next_at && [" · next ", timeOf(delivery.next_at)],
        ),
      ),
      h("div", { class: "actions" }, replay),
      details,
    );
  }
}

function told({ body, tries, event_id: id }) {
  return [
    h(
      "ol",
      { class: "timeline" },
      tries.map((each) =>
        h(
          "li",
          {},
          timeOf(each.at),
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
    raw(body, "What is posted"),
  ];
}
