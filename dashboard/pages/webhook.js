// One webhook endpoint: on or off, its settings, its secret and a test. Its deliveries are in `deliveries.js`.

import { onEvents } from "../api/feed.js";
import { del, get, patch, post } from "../api/requests.js";
import { button, toast, toggle } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { confirm, showSecret } from "../widgets/dialog.js";
import { fill, h, setText } from "../widgets/dom.js";
import { field, form, labelField } from "../widgets/form.js";
import { card, facts, load } from "../widgets/ui.js";
import { Deliveries } from "./deliveries.js";
import { endpointBadge, eventsText, kindsField, SECRET_TEXT } from "./webhooks.js";

export function show(id, signal) {
  const path = `webhooks/${encodeURIComponent(id)}`;
  const title = h("h1", { tabindex: -1 }, "Endpoint");
  const place = h("div");
  const deliveries = new Deliveries(path, signal);
  onEvents(() => deliveries.refreshSoon(), signal); // an event is most likely being sent
  load(place, async () => {
    const endpoint = await get(path, {}, signal);
    setText(title, endpoint.label || endpoint.url);
    return [new EndpointCard(endpoint, path, title, deliveries).node, deliveries.node];
  });
  return h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/webhooks" }, "← Webhooks")),
    h("header", { class: "top" }, title),
    place,
  );
}

/** The card of an endpoint: its state, its settings, and what can be done to it. */
class EndpointCard {
  constructor(endpoint, path, title, deliveries) {
    Object.assign(this, { path, title, deliveries });
    this.state = h("p");
    this.facts = h("div");
    const update = (now) => this.update(now);
    this.enabled = toggle("Enabled", endpoint.enabled, (enabled) => patch(path, { enabled }).then(update));
    this.node = card(
      "Endpoint",
      this.state,
      this.facts,
      this.enabled.node,
      h(
        "div",
        { class: "actions" },
        button("Send test", () => this.test()),
        button("Rotate secret", () => this.rotateSecret()),
        button("Delete", () => this.remove(), { class: "danger" }),
      ),
      h("details", {}, h("summary", {}, "Change settings"), this.form(endpoint)),
    );
    this.update(endpoint);
  }

  update(now) {
    setText(this.title, now.label || now.url);
    fill(this.state, endpointBadge(now));
    this.enabled.show(now.enabled);
    fill(
      this.facts,
      facts(
        ["URL", h("code", {}, now.url)],
        ["Events", eventsText(now)],
        ["Failing since", now.failing_since && timeElement(now.failing_since)],
        ["Old secret until", now.previous_secret_until && timeElement(now.previous_secret_until)],
        ["Created", timeElement(now.created_at)],
      ),
    );
  }

  form(endpoint) {
    const url = field({ name: "url", label: "URL", type: "url", value: endpoint.url, required: true });
    const label = labelField(endpoint.label);
    const kinds = kindsField(endpoint.events);
    const send = async (values) => {
      this.update(await patch(this.path, { ...values, events: kinds.read() }));
      toast("Saved.");
    };
    return form({ fields: [url, label], layout: [url.node, label.node, kinds.node], submit: "Save", send });
  }

  async test() {
    await post(`${this.path}/test`);
    toast("A test is on its way.");
    this.deliveries.begin();
  }

  async rotateSecret() {
    const sure = await confirm(
      "Rotate the secret?",
      "You get a new one. For a day deliveries are signed with both, so that nothing is lost while you change it.",
      "Rotate",
    );
    if (!sure) return;
    const endpoint = await post(`${this.path}/rotate-secret`, {});
    this.update(endpoint);
    await showSecret("The new secret", SECRET_TEXT, endpoint.secret, "the secret");
  }

  async remove() {
    const sure = await confirm(
      "Delete the endpoint?",
      "Nothing is posted to it any more, and what was sent to it cannot be seen.",
      "Delete the endpoint",
    );
    if (!sure) return;
    await del(this.path);
    toast("The endpoint is deleted.");
    location.hash = "#/webhooks";
  }
}
