// Dialling out through one's own trunk. The server decides what may be dialled; each of its refusals is shown
// beside the field that it is about, or in full.

import { mergeCalls } from "../api/feed.js";
import { countryOf, formatNumber } from "../api/phone.js";
import { create, get } from "../api/requests.js";
import { h } from "../widgets/dom.js";
import { choice, field, form } from "../widgets/form.js";
import { numberFields } from "../widgets/numberforms.js";
import { card, empty, heading, load } from "../widgets/ui.js";

/** The field that each refusal is about. */
const FIELD_OF = {
  bad_number: "number",
  premium_number: "number",
  country_not_allowed: "number",
  recently_declined: "number",
  bad_caller_id: "caller_id",
  no_caller_id: "caller_id",
};
/** Remedies, where the API's speak of a request that nobody here has written. */
const REMEDIES = { bad_number: "Choose its country and write it as at home, or write it with + and country code." };

export function show(_, signal) {
  const place = h("div");
  load(place, async () => {
    try {
      return dialCard(await get("trunk", {}, signal));
    } catch (problem) {
      if (problem.code !== "no_trunk") throw problem;
      return card(
        "First connect a trunk",
        empty(
          "Calls go out through your own trunk",
          "Connect the SIP account of your carrier or PBX; once it is registered you can dial here.",
          h("a", { class: "button primary", href: "#/trunk" }, "Connect a trunk"),
        ),
      );
    }
  });
  return h(
    "div",
    {},
    heading("Dial", "Place a call through your trunk, then talk from here or let your agent."),
    place,
  );
}

function dialCard(trunk) {
  const callerIds = callerIdsOf(trunk);
  const [country, number, preview] = numberFields(
    "Number to call",
    callerIds.length ? countryOf(callerIds[0]) : "US",
    (e164) => `Will call ${e164}`,
  );
  const callerId = field({
    name: "caller_id",
    label: "Call as",
    required: true,
    hint: "The trunk's caller ID, or a number of it that has been called.",
    control: choice(
      callerIds.length ? callerIds.map((e164) => [e164, formatNumber(e164)]) : [["", "No caller ID yet"]],
    ),
  });
  const ring = field({
    name: "ring_timeout_s",
    label: "Let it ring for",
    required: true,
    control: choice(
      [15, 30, 60, 120, 300].map((s) => [String(s), `${s} seconds`]),
      "60",
    ),
  });
  const send = (values) => dial(trunk, preview.read() ?? values.number, values);
  const layout = [
    h("div", { class: "pair" }, country.node, number.node),
    preview.node,
    h("div", { class: "pair" }, callerId.node, ring.node),
  ];
  const fields = [country, number, callerId, ring];
  const newCall = card("New call", form({ fields, layout, submit: "Call", doing: "Calling…", send }));
  return [notReadyNote(trunk), newCall];
}

/** List the numbers that a call through the trunk may show: its caller ID, and its DIDs that have been called. */
function callerIdsOf(trunk) {
  const dids = trunk.dids.filter((did) => did.called_at).map((did) => did.e164);
  return [...new Set([trunk.caller_id, ...dids].filter(Boolean))];
}

function notReadyNote(trunk) {
  if (trunk.status === "registered" || trunk.status === "unregistered") return null;
  const notReady =
    trunk.status === "registering"
      ? "The trunk is still registering with your carrier."
      : "The trunk is not registered with your carrier.";
  return h(
    "div",
    { class: "notice" },
    h("p", { class: "strong" }, notReady),
    trunk.detail && h("p", {}, trunk.detail),
    h("p", {}, h("a", { href: "#/trunk" }, "See to the trunk"), " first; calls are refused until then."),
  );
}

/** Dial, and go to the call. A refusal that is about a field is put beside it. */
async function dial({ transport, host }, number, { ring_timeout_s: ring, caller_id: callerId }) {
  const scheme = transport === "tls" ? "sips" : "sip";
  try {
    const call = await create("call", {
      platform: "sip",
      meeting_url: `${scheme}:${number}@${host.includes(":") ? `[${host}]` : host}`,
      ring_timeout_s: Number(ring),
      ...(callerId && { caller_id: callerId }),
    });
    mergeCalls([call]);
    location.hash = `#/call/${call.call_id}`;
  } catch (problem) {
    const about = FIELD_OF[problem.code];
    if (about && !problem.errors.length)
      problem.errors = [{ field: about, message: `${problem.title}. ${REMEDIES[problem.code] ?? problem.detail}` }];
    throw problem;
  }
}
