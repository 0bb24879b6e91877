// Dialling out through one's own trunks. The server decides what may be dialled; each of its refusals is shown
// beside the field that it is about, or in full.

import { mergeCalls } from "../api/feed.js";
import { countryOf, formatNumber } from "../api/phone.js";
import { create, get } from "../api/requests.js";
import { callerIdsOf, canDial, trunkOfNumber } from "../api/trunks.js";
import { fill, h } from "../widgets/dom.js";
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
/** Stands for the trunk that has the caller ID; no trunk has such a name. */
const BY_CALLER_ID = "*";
/** The remedy for a number that is none. */
export const BAD_NUMBER = "Choose its country and write it as at home, or write it with + and country code.";
/** Remedies, where the API's speak of a request that nobody here has written. */
const REMEDIES = { bad_number: BAD_NUMBER };

export function show(_, signal) {
  const place = h("div");
  load(place, async () => {
    const { trunks } = await get("trunks", {}, signal);
    if (trunks.length) return new DialForm(trunks).nodes;
    return card(
      "First connect a trunk",
      empty(
        "Calls go out through your own trunk",
        "Connect the SIP account of your carrier or PBX; once it is registered you can dial here.",
        h("a", { class: "button primary", href: "#/connect" }, "Connect a trunk"),
      ),
    );
  });
  return h(
    "div",
    {},
    heading("Dial", "Place a call through a trunk of yours, then talk from here or let your agent."),
    place,
  );
}

class DialForm {
  constructor(trunks) {
    this.trunks = trunks;
    this.note = h("div", { class: "notice", role: "status" });
    this.makeFields();
    this.follow();
    this.nodes = [this.note, card("New call", this.form())];
  }

  makeFields() {
    const several = this.trunks.length > 1;
    const named = this.trunks.map(({ name, host }) => [name, `${name} (${host})`]);
    this.through = several
      ? field({
          name: "trunk",
          label: "Through",
          required: true,
          hint: "By caller ID: the first trunk that has the number which is shown.",
          control: choice([[BY_CALLER_ID, "By caller ID"], ...named]),
        })
      : null;
    this.callerId = field({
      name: "caller_id",
      label: "Call as",
      required: true,
      hint: "The trunk's caller ID, or a number of it that has been called.",
      control: choice(this.callerIds()),
    });
    this.ring = field({
      name: "ring_timeout_s",
      label: "Let it ring for",
      required: true,
      control: choice(
        [15, 30, 60, 120, 300].map((s) => [String(s), `${s} seconds`]),
        "60",
      ),
    });
    this.detect = field({
      name: "detect_answer",
      label: "Find out who answers",
      required: true,
      hint: "A person, a machine or a fax; and when a machine's greeting is over, to leave a message.",
      control: choice(
        [
          ["off", "No"],
          ["on", "Yes"],
          ["greeting_end", "Yes, and when its greeting ends"],
        ],
        "off",
      ),
    });
    this.through?.input.addEventListener("change", () => this.follow());
    this.callerId.input.addEventListener("change", () => this.drawNote());
  }

  form() {
    const first = this.callerId.input.value;
    const [country, number, preview] = numberFields(
      "Number to call",
      first ? countryOf(first) : "US",
      (e164) => `Will call ${e164}`,
    );
    const layout = [
      h("div", { class: "pair" }, country.node, number.node),
      preview.node,
      h("div", { class: "pair" }, this.through?.node, this.callerId.node, this.ring.node),
      this.detect.node,
    ];
    return form({
      fields: [country, number, this.through, this.callerId, this.ring, this.detect].filter(Boolean),
      layout,
      submit: "Call",
      doing: "Calling…",
      send: (values) => dial(this.trunk(), preview.read() ?? values.number, values),
    });
  }

  /** Return the trunk that the call goes through, as it is chosen now. */
  trunk() {
    const chosen = this.trunks.find(({ name }) => name === this.through?.input.value);
    return chosen ?? trunkOfNumber(this.trunks, this.callerId.input.value);
  }

  /** List the numbers to call as: the chosen trunk's, or those of all. */
  callerIds() {
    const chosen = this.through?.input.value ?? BY_CALLER_ID;
    const trunks = this.trunks.filter(({ name }) => chosen === BY_CALLER_ID || name === chosen);
    const numbers = [...new Set(trunks.flatMap(callerIdsOf))];
    const text = (e164) => (trunks.length > 1 ? ` (${trunkOfNumber(trunks, e164).name})` : "");
    if (!numbers.length) return [["", "No caller ID yet"]];
    return numbers.map((e164) => [e164, formatNumber(e164) + text(e164)]);
  }

  /** Offer the numbers of the trunk that is chosen; what is chosen of them stays so. */
  follow() {
    const { input } = this.callerId;
    const chosen = input.value;
    const offered = choice(this.callerIds());
    input.replaceChildren(...offered.children);
    input.value = [...input.options].some(({ value }) => value === chosen) ? chosen : input.options[0].value;
    this.drawNote();
  }

  drawNote() {
    const trunk = this.trunk();
    this.note.hidden = canDial(trunk);
    fill(this.note, !this.note.hidden && notReady(trunk));
  }
}

/** Say that the trunk cannot be dialled through now, and what to do about it. */
function notReady(trunk) {
  const spare = trunk.fallback?.length > 0;
  const state =
    trunk.status === "registering"
      ? `The trunk ${trunk.name} is still being connected.`
      : `The trunk ${trunk.name} is not connected with your carrier.`;
  return [
    h("p", { class: "strong" }, state),
    trunk.detail && h("p", {}, trunk.detail),
    h(
      "p",
      {},
      h("a", { href: `#/trunk/${trunk.name}` }, "See to the trunk"),
      spare
        ? `; until then calls go through ${trunk.fallback.join(" or ")}, if connected.`
        : " first; calls are refused until then.",
    ),
  ];
}

/** Dial, and go to the call. A refusal that is about a field is put beside it. */
async function dial({ transport, host }, number, values) {
  const { trunk, ring_timeout_s: ring, caller_id: callerId, detect_answer: detect } = values;
  const scheme = transport === "tls" ? "sips" : "sip";
  try {
    const call = await create("call", {
      platform: "sip",
      meeting_url: `${scheme}:${number}@${host.includes(":") ? `[${host}]` : host}`,
      ring_timeout_s: Number(ring),
      ...(detect !== "off" && { detect_answer: detect }),
      ...(trunk && trunk !== BY_CALLER_ID && { trunk }),
      ...(callerId && { caller_id: callerId }),
    });
    mergeCalls([call]);
    location.hash = `#/call/${call.call_id}`;
  } catch (problem) {
    throw nameField(problem);
  }
}

/** Return the problem of a dial with the field that it is about; `names`: fields that are named otherwise in a form. */
export function nameField(problem, names = {}) {
  const about = FIELD_OF[problem.code];
  const message = `${problem.title}. ${REMEDIES[problem.code] ?? problem.detail}`;
  if (about && !problem.errors.length) problem.errors = [{ field: names[about] ?? about, message }];
  return problem;
}
