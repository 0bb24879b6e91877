// The first three steps, and how far one is: a number, a call, an agent. Folded away once all are done.

import { ROOT } from "./api.js";
import { fill, h } from "./dom.js";
import { snippet } from "./ui.js";

/** Draws the steps into `place`, again only if one more is done. */
export function gettingStarted(place, numbers, calls) {
  const url = ROOT.replace(/\/$/, "");
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
      h(
        "div",
        {},
        h("p", {}, "Make a key under ", h("a", { href: "#/keys" }, "Keys"), ". Then ask for ringing calls:"),
        snippet(
          `curl -s "${url}/api/events?after=latest&wait=20" -H "X-API-Key: $CHAMADE_API_KEY"`,
          "the curl command",
        ),
        h("p", {}, "Or give Claude the line, by MCP:"),
        snippet(
          `claude mcp add --transport http chamade "${url}/mcp" --header "X-API-Key: $CHAMADE_API_KEY"`,
          "the Claude command",
        ),
        h("p", {}, "No agent yet? Answer a ringing call under Calls with Answer here."),
      ),
    ],
  ];
  const done = steps.filter(([, yes]) => yes).length;
  if (place.dataset.done === String(done)) return;
  place.dataset.done = done;
  fill(
    place,
    h(
      "details",
      { class: "card start", open: done < steps.length },
      h(
        "summary",
        {},
        h("span", { class: "strong" }, "Getting started"),
        h("span", { class: "fine num" }, ` ${done} of ${steps.length} done`),
      ),
      h(
        "ol",
        {},
        steps.map(([title, yes, text]) =>
          h(
            "li",
            { class: yes ? "done" : null },
            h("p", { class: "strong" }, title, yes && h("span", { class: "fine" }, " – done")),
            !yes && text,
          ),
        ),
      ),
    ),
  );
}
