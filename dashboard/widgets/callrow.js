// A call in a list: party, state, duration, and actions. Rows are kept, and touched only where a call
// changed; clocks run by themselves (`clock.js`).

import { mergeCalls } from "../api/feed.js";
import { CALL_STATES, explainEnding, otherPartyName } from "../api/labels.js";
import { formatNumber } from "../api/phone.js";
import { post } from "../api/requests.js";
import { formatDuration } from "../api/time.js";
import { button, problemToast, toast } from "./button.js";
import { answerHere } from "./callpanel.js";
import { runningClock, timeElement } from "./clock.js";
import { fill, h, setText } from "./dom.js";
import { badge } from "./ui.js";

/** Make a badge of the call's state. */
export function stateBadge(call) {
  const [tone, text] = CALL_STATES[call.state] ?? ["quiet", call.state];
  return badge(text, tone);
}

/** Make a countdown while it rings, a running clock while it is up, and later its duration as text. */
export function callDuration(call) {
  if (call.state === "ringing" || call.state === "connecting")
    return [runningClock({ until: call.ring_deadline }), h("span", { class: "fine" }, " left")];
  if (call.state === "active") return runningClock({ since: call.answered_at });
  return call.answered_at
    ? h("span", { class: "num" }, formatDuration(Date.parse(call.ended_at) - Date.parse(call.answered_at)))
    : "–";
}

/** Make buttons for what can be done to a call now. A lost race shows the call as it is instead. */
export function callActions(call) {
  const act = (verb) => async () => mergeCalls([await post(`call/${call.call_id}/${verb}`)]);
  const failed = (problem) => {
    if (problem.body?.call) mergeCalls([problem.body.call]);
    problemToast(problem);
  };
  const make = (text, work, name = "") =>
    button(text, work, { class: `small ${name}`, label: `${text}: ${otherPartyName(call)}`, failed });
  const inbound = call.direction === "inbound";
  if (call.state === "ringing" && inbound) {
    return [
      make("Answer here", () => answerHere(call), "primary"),
      make("Accept", () => act("accept")().then(() => toast("Accepted. An agent has to come within 30 s."))),
      make("Refuse", act("refuse"), "danger"),
    ];
  }
  if (call.state === "active" || (call.state in CALL_STATES && !call.ended_at)) {
    return [make("Talk here", () => answerHere(call)), make("Leave", act("leave"), "danger")];
  }
  return [];
}

/** Make a row for `syncRows`. */
export function callRow(call) {
  const name = h("a", { href: `#/call/${call.call_id}`, class: "strong num" });
  const line = h("span", { class: "fine num" });
  const state = h("span");
  const duration = h("span", { class: "long" });
  const explanation = h("span", { class: "fine why" });
  const actions = h("span", { class: "actions" });
  const node = h(
    "li",
    { class: "row call" },
    h("span", { class: "who" }, name, line),
    state,
    duration,
    h("span", { class: "at" }, timeElement(call.created_at)),
    explanation,
    actions,
  );
  let drawnVersion;
  const update = (now) => {
    if (now.version === drawnVersion) return;
    drawnVersion = now.version;
    setText(name, otherPartyName(now));
    setText(
      line,
      `${now.direction === "inbound" ? "in, on" : "out, from"} ${formatNumber(now.line)}${now.auto_answer ? " · auto-answer" : ""}`,
    );
    fill(state, stateBadge(now));
    fill(duration, callDuration(now));
    setText(explanation, explainEnding(now)[0]);
    const hadFocus = actions.contains(document.activeElement);
    fill(actions, callActions(now));
    if (hadFocus) (actions.querySelector("button") ?? name).focus();
  };
  update(call);
  return { node, update };
}
