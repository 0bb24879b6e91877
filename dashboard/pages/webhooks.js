// Webhook endpoints: the list, and adding one. One endpoint is in `webhook.js`, its deliveries in
// `deliveries.js`.

import { onEvents } from "../api/feed.js";
import { create, get } from "../api/requests.js";
import { showSecret } from "../widgets/dialog.js";
import { h } from "../widgets/dom.js";
import { field, form, labelField } from "../widgets/form.js";
import { badge, card, empty, heading, load } from "../widgets/ui.js";

/** The kinds of events that an endpoint can ask for; finer choices are made over the API. */
export const KINDS = [
  ["call.*", "Calls"],
  ["number.*", "Numbers"],
  ["trunk.*", "Trunks"],
  ["webhook.*", "Webhooks"],
];
export const SECRET_TEXT =
  "Your receiver checks every delivery with this secret (Standard Webhooks). It is shown this once.";

export function show(_, signal) {
  const place = h("div");
  const draw = async () => {
    const { webhooks } = await get("webhooks", {}, signal);
    if (!webhooks.length)
      return empty(
        "No endpoints yet",
        "Add a URL of yours below: it is posted what happens, signed, and tried again if it fails.",
      );
    return h("ul", { class: "rows", "aria-label": "Endpoints" }, webhooks.map(row));
  };
  const refresh = () => load(place, draw, 2);
  onEvents((events) => events.some(({ type }) => type === "webhook.disabled") && refresh(), signal);
  refresh();
  return h(
    "div",
    {},
    heading("Webhooks", "Have events posted to you, instead of asking for them."),
    card("Endpoints", place),
    card("Add an endpoint", addForm()),
  );
}

/** Make a badge of whether an endpoint is enabled, and whether deliveries to it fail. */
export function endpointBadge(endpoint) {
  if (endpoint.enabled) return endpoint.failing_since ? badge("Failing", "bad") : badge("Enabled", "good");
  return badge(
    { gone: "Disabled: answered 410", failing: "Disabled: took nothing for five days" }[endpoint.disabled_reason] ??
      "Disabled",
    "quiet",
  );
}

/** List the events that an endpoint is sent. */
export const eventsText = ({ events }) => (events.includes("*") ? "all events" : events.join(", "));

function row(endpoint) {
  return h(
    "li",
    { class: "row two" },
    h(
      "div",
      {},
      h("a", { class: "strong", href: `#/webhook/${endpoint.endpoint_id}` }, endpoint.label || endpoint.url),
      h("p", { class: "fine" }, endpoint.label && `${endpoint.url} · `, eventsText(endpoint)),
    ),
    endpointBadge(endpoint),
  );
}

/** Make checkboxes for the kinds of events; `read` gives the patterns. */
export function kindsField(chosen) {
  const every = chosen.includes("*");
  const boxes = KINDS.map(([pattern, text]) => {
    const box = h("input", {
      type: "checkbox",
      value: pattern,
      checked: every || chosen.some((each) => each === pattern),
    });
    return [box, h("label", {}, box, text)];
  });
  const others = chosen.filter((each) => each !== "*" && !KINDS.some(([pattern]) => pattern === each));
  const read = () => {
    const picked = boxes.filter(([box]) => box.checked).map(([box]) => box.value);
    return picked.length === KINDS.length ? ["*"] : [...picked, ...others];
  };
  const node = h(
    "fieldset",
    {},
    h("legend", {}, "Events"),
    h(
      "div",
      { class: "checks" },
      boxes.map(([, label]) => label),
    ),
    others.length > 0 && h("p", { class: "hint" }, `Also: ${others.join(", ")}`),
  );
  return { node, read };
}

function addForm() {
  const url = field({
    name: "url",
    label: "URL",
    type: "url",
    required: true,
    hint: "https://, on the public Internet.",
  });
  const label = labelField();
  const kinds = kindsField(["*"]);
  const send = async (values) => {
    const made = await create("webhooks", { ...values, events: kinds.read() });
    await showSecret("The endpoint's secret", SECRET_TEXT, made.secret, "the secret");
    location.hash = `#/webhook/${made.endpoint_id}`;
  };
  return form({
    fields: [url, label],
    layout: [url.node, label.node, kinds.node],
    submit: "Add endpoint",
    doing: "Adding…",
    send,
  });
}
