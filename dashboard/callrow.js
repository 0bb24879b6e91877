// A call in a list: who, how it stands, how long, and what can be done to it now. Rows are kept and
// touched only where a call changed; clocks run by themselves (`time.js`).

import { post } from "./api.js";
import { fill, h, say } from "./dom.js";
import { learn } from "./feed.js";
import { pretty } from "./phone.js";
import { answerHere } from "./talk.js";
import { clock, span, timeOf } from "./time.js";
import { badge, button, problemToast, toast } from "./ui.js";
import { STATES, ending, otherParty } from "./words.js";

/** The state as a badge. */
export function stateBadge(call) {
  const [tone, text] = STATES[call.state] ?? ["quiet", call.state];
  return badge(text, tone);
}

/** How long: a countdown while it rings, running while it is up, and what it was. */
export function duration(call) {
  if (call.state === "ringing" || call.state === "connecting")
    return [clock({ until: call.ring_deadline }), h("span", { class: "fine" }, " left")];
  if (call.state === "active") return clock({ since: call.answered_at });
  return call.answered_at
    ? h("span", { class: "num" }, span(Date.parse(call.ended_at) - Date.parse(call.answered_at)))
    : "–";
}

/** What can be done to a call now, as buttons. A lost race shows how the call is instead. */
export function callActions(call) {
  const act = (verb) => async () => learn([await post(`call/${call.call_id}/${verb}`)]);
  const failed = (problem) => {
    if (problem.document?.call) learn([problem.document.call]);
    problemToast(problem);
  };
  const make = (text, work, name = "") =>
    button(text, work, { class: `small ${name}`, label: `${text}: ${otherParty(call)}`, failed });
  const inbound = call.direction === "inbound";
  if (call.state === "ringing" && inbound) {
    return [
      make("Answer here", () => answerHere(call), "primary"),
      make("Accept", () => act("accept")().then(() => toast("Accepted. An agent has to come within 30 s."))),
      make("Refuse", act("refuse"), "danger"),
    ];
  }
  if (call.state === "active" || (call.state in STATES && !call.ended_at)) {
    return [make("Talk here", () => answerHere(call)), make("Leave", act("leave"), "danger")];
  }
  return [];
}

/** A row for `sync`. */
export function callRow(call) {
  const name = h("a", { href: `#/call/${call.call_id}`, class: "strong num" });
  const line = h("span", { class: "fine num" });
  const state = h("span");
  const long = h("span", { class: "long" });
  const why = h("span", { class: "fine why" });
  const actions = h("span", { class: "actions" });
  const node = h(
    "li",
    { class: "row call" },
    h("span", { class: "who" }, name, line),
    state,
    long,
    h("span", { class: "at" }, timeOf(call.created_at)),
    why,
    actions,
  );
  let shown;
  const update = (now) => {
    if (now.version === shown) return;
    shown = now.version;
    say(name, otherParty(now));
    say(
      line,
      `${now.direction === "inbound" ? "in, on" : "out, from"} ${pretty(now.line)}${now.auto_answer ? " · auto-answer" : ""}`,
    );
    fill(state, stateBadge(now));
    fill(long, duration(now));
    say(why, ending(now)[0]);
    const held = actions.contains(document.activeElement);
    fill(actions, callActions(now));
    if (held) (actions.querySelector("button") ?? name).focus();
  };
  update(call);
  return { node, update };
}
