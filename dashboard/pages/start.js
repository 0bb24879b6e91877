// The first three steps: a number, a call, an agent. Folded away once all are done.

import { BASE_URL } from "../api/requests.js";
import { snippet } from "../widgets/copyable.js";
import { fill, h } from "../widgets/dom.js";

/** Draw the steps into `place`, again only if one more is done. */
export function drawGettingStarted(place, numbers, calls) {
  const steps = [
    ["Activate a number", numbers.length > 0, h("p", {}, "Choose a country above and activate one.")],
    [
      "Call it",
      calls.length > 0,
      h(
        "p",
        {},
        "From any phone, or right here with Test call: this browser is the caller, and you see it ring under Calls.",
      ),
    ],
    [
      "Connect your agent",
      calls.some((call) => call.answered_at) || numbers.some((number) => number.agent_url),
      agentInstructions(),
    ],
  ];
  const doneCount = steps.filter(([, done]) => done).length;
  if (place.dataset.done === String(doneCount)) return;
  place.dataset.done = doneCount;
  const summary = h(
    "summary",
    {},
    h("span", { class: "strong" }, "Getting started"),
    h("span", { class: "fine num" }, ` ${doneCount} of ${steps.length} done`),
  );
  const open = doneCount < steps.length;
  fill(place, h("details", { class: "card start", open }, summary, h("ol", {}, steps.map(stepItem))));
}

function stepItem([title, done, text]) {
  const heading = h("p", { class: "strong" }, title, done && h("span", { class: "fine" }, " – done"));
  return h("li", { class: done ? "done" : null }, heading, !done && text);
}

function agentInstructions() {
  const url = BASE_URL.replace(/\/$/, "");
  return h(
    "div",
    {},
    h("p", {}, "Make a key under ", h("a", { href: "#/keys" }, "Keys"), ". Then ask for ringing calls:"),
    snippet(`curl -s "${url}/api/events?after=latest&wait=20" -H "X-API-Key: $CHAMADE_API_KEY"`, "the curl command"),
    h("p", {}, "Or give Claude the line, by MCP:"),
    snippet(
      `claude mcp add --transport http chamade "${url}/mcp" --header "X-API-Key: $CHAMADE_API_KEY"`,
      "the Claude command",
    ),
    h("p", {}, "No agent yet? Answer a ringing call under Calls with Answer here."),
  );
}
