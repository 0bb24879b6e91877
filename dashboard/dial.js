// Dialling out through one's own trunk. What may be dialled the server knows; each of its refusals is
// shown beside the field that it is about, or in full.

import { create, get } from "./api.js";
import { h, say } from "./dom.js";
import { learn } from "./feed.js";
import { choice, field, form } from "./form.js";
import { COUNTRIES, countryName, countryOf, pretty, toE164 } from "./phone.js";
import { card, empty, heading, load } from "./ui.js";
import { TRUNK_STATES } from "./words.js";

const FIELD_OF = {
  bad_number: "number",
  premium_number: "number",
  country_not_allowed: "number",
  recently_declined: "number",
  bad_caller_id: "caller_id",
  no_caller_id: "caller_id",
};
/** What to do, where the API's words speak of a request that nobody here has written. */
const REMEDY = { bad_number: "Choose its country and write it as at home, or write it with + and country code." };

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
  const own = [trunk.caller_id, ...trunk.dids.filter((did) => did.called_at).map((did) => did.e164)];
  const callerIds = [...new Set(own.filter(Boolean))];
  const home = callerIds.length ? countryOf(callerIds[0]) : "US";
  const country = field({
    name: "country",
    label: "Country",
    required: true,
    control: choice(
      COUNTRIES.map((code) => [code, countryName(code)]),
      home,
    ),
  });
  const number = field({ name: "number", label: "Number to call", type: "tel", required: true });
  const callerId = field({
    name: "caller_id",
    label: "Call as",
    required: true,
    hint: "The trunk's caller ID, or a number of it that has been called.",
    control: choice(callerIds.length ? callerIds.map((e164) => [e164, pretty(e164)]) : [["", "No caller ID yet"]]),
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
  const shown = h("p", { class: "hint num", role: "status" });
  const read = () => toE164(number.input.value, country.input.value);
  const preview = () => say(shown, number.input.value.trim() && (read() ? `Will call ${read()}` : "Not a number yet."));
  number.input.addEventListener("input", preview);
  country.input.addEventListener("change", preview);
  const { host } = trunk;
  const send = async (values) => {
    const called = read() ?? values.number;
    try {
      const call = await create("call", {
        platform: "sip",
        meeting_url: `${trunk.transport === "tls" ? "sips" : "sip"}:${called}@${host.includes(":") ? `[${host}]` : host}`,
        ring_timeout_s: Number(values.ring_timeout_s),
        ...(values.caller_id && { caller_id: values.caller_id }),
      });
      learn([call]);
      location.hash = `#/call/${call.call_id}`;
    } catch (problem) {
      const about = FIELD_OF[problem.code];
      if (about && !problem.errors.length)
        problem.errors = [{ field: about, message: `${problem.title}. ${REMEDY[problem.code] ?? problem.detail}` }];
      throw problem;
    }
  };
  const layout = [
    h("div", { class: "pair" }, country.node, number.node),
    shown,
    h("div", { class: "pair" }, callerId.node, ring.node),
  ];
  const ready = trunk.status === "registered" || trunk.status === "unregistered";
  const notReady = h(
    "div",
    { class: "notice" },
    h("p", { class: "strong" }, `The trunk is not registered: ${TRUNK_STATES[trunk.status]?.[1] ?? trunk.status}.`),
    trunk.detail && h("p", {}, trunk.detail),
    h("p", {}, h("a", { href: "#/trunk" }, "See to the trunk"), " first; calls are refused until then."),
  );
  return [
    !ready && notReady,
    card(
      "New call",
      form({ fields: [country, number, callerId, ring], layout, submit: "Call", doing: "Calling…", send }),
    ),
  ];
}
