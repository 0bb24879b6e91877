// The account's events as they happen, the newest first, by kind, each with its JSON. Old rows are removed.
// Agents read the same events by `GET /api/events`.

import { EVENTS } from "../api/callline.js";
import { onEvents, recentEvents } from "../api/feed.js";
import { callerName } from "../api/labels.js";
import { formatNumber } from "../api/phone.js";
import { timeElement } from "../widgets/clock.js";
import { jsonDetails } from "../widgets/copyable.js";
import { h, setText, syncRows } from "../widgets/dom.js";
import { choice } from "../widgets/form.js";
import { badge, empty, heading } from "../widgets/ui.js";

const MAX_ROWS = 200;

const KINDS = [
  ["", "All events"],
  ["call.", "Calls"],
  ["number.", "Numbers"],
  ["trunk.", "Trunks"],
  ["webhook.", "Webhooks"],
];

export function show(_, signal) {
  const kind = choice(KINDS);
  kind.setAttribute("aria-label", "Type of event");
  const list = h("ul", { class: "rows", "aria-label": "Events" });
  const count = h("p", { class: "fine" });
  const none = h(
    "div",
    {},
    empty(
      "Nothing yet",
      "Events of the last five minutes and new ones appear here. Call one of your numbers to see some.",
    ),
  );
  let waiting = false;
  const draw = () => {
    waiting = false;
    const shown = recentEvents
      .filter((event) => event.type.startsWith(kind.value))
      .slice(-MAX_ROWS)
      .reverse();
    syncRows(list, shown, (event) => event.event_id, row);
    none.hidden = shown.length > 0;
    setText(count, `${shown.length} shown`);
  };
  kind.addEventListener("change", draw);
  onEvents(() => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }, signal);
  draw();
  return h(
    "div",
    {},
    heading("Events", "Live, as your agent and your webhooks get them."),
    h(
      "section",
      { class: "card", "aria-label": "Live events" },
      h("div", { class: "filters" }, kind, count),
      none,
      list,
    ),
  );
}

function row(event) {
  // Its JSON is made when somebody asks for it: rows are many, readers few.
  const details = h("details", { class: "raw" }, h("summary", {}, "JSON"));
  const unfold = () => details.replaceWith(Object.assign(jsonDetails(event, "JSON"), { open: true }));
  details.addEventListener("toggle", unfold, { once: true });
  const [tone, label] = EVENTS[event.type] ?? ["quiet", ""];
  const subject = subjectOf(event.data) ?? label;
  return {
    node: h(
      "li",
      { class: "row event" },
      timeElement(event.at),
      h("span", {}, badge(event.type, tone)),
      h("span", { class: "num about" }, event.call_id ? h("a", { href: `#/call/${event.call_id}` }, subject) : subject),
      details,
    ),
  };
}

function subjectOf({ call, number, trunk, digits, text, heard_text: heard, host, label, to }) {
  if (call) return `${callerName(call)} → ${formatNumber(call.to)}`;
  if (number) return formatNumber(number.e164);
  if (trunk) return `${trunk.name} (${trunk.host})`;
  if (digits) return `keys ${digits}`;
  if (text || heard) return `“${text || heard}”`;
  return to ? formatNumber(to) : label || host;
}
