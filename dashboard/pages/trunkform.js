// The form of a trunk's settings, for one that is connected and one that is changed alike: what everybody needs
// first, the rest folded. The password is only ever written.

import { DEFAULTS, settingsOf, valuesOf } from "../api/trunks.js";
import { h } from "../widgets/dom.js";
import { choice, field, form } from "../widgets/form.js";

const PROVIDERS = [
  ["gateway", "Our gateway connects to your trunk"],
  ["twilio", "Your trunk sends its calls to us (Twilio)"],
];

/** Label, hint, and the choices if there are some, of each setting. */
const SETTINGS = {
  name: ["Name", "How you call it: small letters, digits and hyphens, as in paris-office."],
  host: ["Host", "The registrar or proxy alone, as in sip.carrier.example."],
  username: ["Username", "The part before the @ of your SIP account."],
  password: ["Password", "Kept sealed; never shown again."],
  caller_id: ["Caller ID", "The number to call as, in E.164: +33187654321."],
  allowed_countries: ["Allowed countries", "Where it may dial besides the caller ID's country: FR, DE."],
  transport: ["Transport", null, { udp: "UDP", tcp: "TCP", tls: "TLS" }],
  port: ["Port", "Empty: found by DNS; else 5060, for TLS 5061."],
  auth: [
    "How it connects",
    null,
    {
      register: "By registration, with username and password",
      ip: "By address: nothing registers",
      both: "By registration, and calls also come from networks",
    },
  ],
  networks: ["Networks", "Where your carrier sends calls from: 198.51.100.0/24, 203.0.113.7."],
  realm: ["Realm", "Only if your account is user@something-else."],
  outbound_proxy: ["Outbound proxy", "Where requests go instead of the host: proxy.carrier.example:5060."],
  srtp: [
    "Encrypted audio (SRTP)",
    null,
    {
      usual: "As usual: offered with TLS, else off",
      off: "Off",
      offered: "Offered: if the other side can",
      required: "Required: calls without it fail",
    },
  ],
  keep_alive: [
    "Keep-alive",
    null,
    { none: "None", crlf: "An empty line every 25 s", options: "OPTIONS every 30 s: also notices when it is down" },
  ],
  number_format: [
    "Numbers are written",
    null,
    { e164: "+33612345678", plain: "33612345678", "00": "0033612345678", national: "0612345678, abroad 0044…" },
  ],
  dial_prefix: ["Prefix for an outside line", "Digits, * or #, put before the number that is called."],
  country: ["Country of national numbers", "As in FR; empty: the caller ID's."],
  caller_id_in: [
    "Caller ID stands in",
    null,
    {
      auto: "From and P-Asserted-Identity; after a 403 not in From",
      from: "From",
      pai: "P-Asserted-Identity; From is your account",
      ppi: "P-Preferred-Identity; From is your account",
      rpid: "Remote-Party-ID; From is your account",
    },
  ],
  user_phone: ["user=phone with numbers", null, { no: "No", yes: "Yes" }],
  fallback: ["If it cannot place a call", "Up to 3 names of your other trunks, tried in this order."],
};
const BASIC = [
  ["host", "transport", "port"],
  ["username", "password"],
  ["caller_id", "allowed_countries"],
];
const MORE = [
  ["auth", "networks"],
  ["realm", "outbound_proxy"],
  ["srtp", "keep_alive"],
  ["number_format", "country", "dial_prefix"],
  ["caller_id_in", "user_phone"],
  ["fallback"],
];
const ATTRIBUTES = {
  name: { maxlength: 32, autocapitalize: "none" },
  port: { inputmode: "numeric" },
  password: { autocomplete: "new-password" },
};

/** List label and value of each setting that differs from its default, to be read. */
export function describe(settings, names = Object.keys(SETTINGS)) {
  const values = valuesOf(settings);
  return names
    .filter((name) => SETTINGS[name] && values[name] && values[name] !== DEFAULTS[name])
    .map((name) => [SETTINGS[name][0], SETTINGS[name][2]?.[values[name]] ?? values[name]]);
}

/** The settings that are folded unless a preset asks for them. */
export const FOLDED = MORE.flat();

/**
 * Make the form of a trunk's settings.
 * @param {{settings: object, ask?: string[], name?: string, providers: string[], submit: string,
 *   send: (settings: object, name: string) => Promise}} spec
 *   settings: what is filled in; ask: what a preset's owner has to fill in; name: the name that is proposed,
 *   if there is to be a field for one
 */
export function trunkForm({ settings, ask = [], name, providers, submit, send }) {
  const values = valuesOf({ ...settings, name });
  const make = (each) => settingField(each, values[each] ?? "", ask.includes(each));
  const first = firstRows(ask, values, name != null);
  const fields = new Map([...first, ...MORE].flat().map((each) => [each, make(each)]));
  if (providers.length > 1)
    fields.set("provider", selectField("provider", "How calls come in", offered(providers), values.provider));
  const rows = (list) => list.map((row) => h("div", { class: "pair" }, row.map(nodeOf(fields))));
  const folded = foldedRows(first, values, rows);
  followAuth(fields, ask);
  return form({
    fields: [...fields.values()],
    layout: [fields.get("provider")?.node, rows(first), folded],
    submit,
    doing: "Connecting…",
    send: ({ name: chosen, ...rest }) => send(settingsOf(withoutHidden(rest)), chosen),
  });
}

const offered = (providers) => PROVIDERS.filter(([id]) => providers.includes(id));
const nodeOf = (fields) => (name) => fields.get(name).node;

/** Return the rows that are not folded: a name, the usual settings, and what is asked for or belongs to them. */
function firstRows(ask, values, named) {
  const more = FOLDED.filter((each) => ask.includes(each));
  if (values.auth !== "register" && !more.includes("networks")) more.unshift("networks");
  return [named && ["name"], ...BASIC, more.length > 0 && more].filter(Boolean);
}

/** Make the folded part, whose summary says how many of its settings are not the usual ones. */
function foldedRows(first, values, rows) {
  const shown = first.flat();
  const left = MORE.map((row) => row.filter((each) => !shown.includes(each))).filter((row) => row.length);
  const set = left.flat().filter((each) => values[each] !== DEFAULTS[each]).length;
  const count = set > 0 && h("span", { class: "fine" }, ` ${set} set`);
  return h("details", {}, h("summary", {}, "More settings", count), rows(left));
}

function settingField(name, value, asked) {
  const [label, hint, options] = SETTINGS[name];
  if (options) return selectField(name, label, Object.entries(options), value);
  const type = name === "password" ? "password" : "text";
  const required = asked || ["name", "host"].includes(name);
  return field({ name, label, hint, type, value, required, attributes: ATTRIBUTES[name] });
}

const selectField = (name, label, options, value) =>
  field({ name, label, required: true, control: choice(options, value) });

/** Have the fields follow how the trunk connects: what registers needs an account, what does not, networks. */
function followAuth(fields, ask) {
  const auth = fields.get("auth").input;
  const follow = () => {
    for (const name of ["username", "password"])
      fields.get(name).setRequired(auth.value !== "ip" || ask.includes(name));
    const networks = fields.get("networks");
    networks.setRequired(auth.value !== "register");
    networks.node.hidden = auth.value === "register";
  };
  auth.addEventListener("change", follow);
  follow();
}

/** Leave out what does not count for this way of connecting, and is not shown. */
function withoutHidden({ networks, ...values }) {
  return (values.auth ?? DEFAULTS.auth) === "register" ? values : { ...values, networks };
}
