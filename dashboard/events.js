// What happens to the account, as it happens: the newest first, by kind, each with its JSON. Bounded: old
// rows go. Agents read the same events by `GET /api/events`.

import { h, say, sync } from "./dom.js";
import { onEvents, recent } from "./feed.js";
import { choice } from "./form.js";
import { pretty } from "./phone.js";
import { timeOf } from "./time.js";
import { badge, empty, heading, raw } from "./ui.js";
import { caller } from "./words.js";

const MOST = 200; // rows

export function show(_, signal) {
  const kind = choice([
    ["", "All events"],
    ["call.", "Calls"],
    ["number.", "Numbers"],
    ["trunk.", "Trunk"],
    ["webhook.", "Webhooks"],
  ]);
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
    const shown = recent
      .filter((event) => event.type.startsWith(kind.value))
      .slice(-MOST)
      .reverse();
    sync(list, shown, (event) => event.event_id, row);
    none.hidden = shown.length > 0;
    say(count, `${shown.length} shown`);
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
  const { call, number, trunk, digits, host, label, to } = event.data;
  const about = call
    ? `${caller(call)} → ${pretty(call.to)}`
    : number
      ? pretty(number.e164)
      : trunk
        ? trunk.host
        : digits
          ? `keys ${digits}`
          : (to ?? (label || host) ?? "");
  const tone = /failed|missed|not_added|disabled/.test(event.type)
    ? "bad"
    : /answered|registered|activated|added|connected/.test(event.type)
      ? "good"
      : "quiet";
  // Its JSON is made when somebody asks for it: rows are many, readers few.
  const details = h("details", { class: "raw" }, h("summary", {}, "JSON"));
  details.addEventListener("toggle", () => details.replaceWith(Object.assign(raw(event, "JSON"), { open: true })), {
    once: true,
  });
  return {
    node: h(
      "li",
      { class: "row event" },
      timeOf(event.at),
      h("span", {}, badge(event.type, tone)),
      h("span", { class: "num about" }, event.call_id ? h("a", { href: `#/call/${event.call_id}` }, about) : about),
      details,
    ),
  };
}
