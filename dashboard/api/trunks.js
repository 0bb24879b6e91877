// Trunks without the screen: settings as the fields of a form hold them and as the API takes them, the label of
// each status, the numbers that a trunk may show, and the trunk that a call goes through.

/** The default of each setting, as its field holds it. A setting that has its default is not sent. */
export const DEFAULTS = {
  provider: "gateway",
  transport: "udp",
  port: "",
  auth: "register",
  networks: "",
  realm: "",
  srtp: "usual",
  outbound_proxy: "",
  user_phone: "no",
  number_format: "e164",
  dial_prefix: "",
  country: "",
  caller_id: "",
  caller_id_in: "auto",
  keep_alive: "none",
  allowed_countries: "",
  fallback: "",
};
const LISTS = ["networks", "allowed_countries", "fallback"];
const usualSrtp = (transport) => (transport === "tls" ? "offered" : "off");

/** Return what the fields hold for these settings: those of a trunk, or of a preset. */
export function valuesOf(settings) {
  const values = { ...DEFAULTS };
  for (const [name, value] of Object.entries(settings)) {
    if (Array.isArray(value)) values[name] = value.join(", ");
    else if (typeof value === "boolean") values[name] = value ? "yes" : "no";
    else values[name] = value == null ? (DEFAULTS[name] ?? "") : String(value);
  }
  if (settings.srtp === usualSrtp(values.transport)) values.srtp = "usual"; // it follows the transport
  return values;
}

/** Read the settings from the fields' values; what is empty or has its default is left out. */
export function settingsOf(values) {
  const settings = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === "" || value === DEFAULTS[name]) continue;
    if (LISTS.includes(name)) settings[name] = value.split(/[\s,;]+/).filter(Boolean);
    else if (name === "port" && /^\d+$/.test(value)) settings[name] = Number(value);
    else settings[name] = name === "user_phone" ? value === "yes" : value;
  }
  return settings;
}

/** Propose a name for one more trunk: `main` for the first, else the preset's, with a number if it is taken. */
export function freeName(trunks, preset = "trunk") {
  const taken = new Set(trunks.map(({ name }) => name));
  if (!taken.size) return "main";
  for (let count = 1; ; count++) {
    const name = count === 1 ? preset : `${preset}-${count}`;
    if (!taken.has(name)) return name;
  }
}

/** Tone and label of each status of a trunk. */
export const TRUNK_STATES = {
  registering: ["busy", "Registering"],
  registered: ["good", "Registered"],
  ready: ["good", "Ready"],
  failed: ["bad", "Not registered"],
  unregistered: ["quiet", "Nothing to register"],
};
/** The same of a trunk that registers nowhere, where that makes a difference. */
const STATES_BY_ADDRESS = { registering: ["busy", "Asking whether it answers"], failed: ["bad", "Not reachable"] };

/** Return tone and label of a trunk's status. */
export function trunkState({ status, auth }) {
  return (auth === "ip" && STATES_BY_ADDRESS[status]) || TRUNK_STATES[status] || ["quiet", status];
}

/** Return whether the trunk may be dialled through now. */
export const canDial = ({ status }) => ["registered", "ready", "unregistered"].includes(status);

/** List the numbers that a call through the trunk may show: its caller ID, and its numbers that have been called. */
export function callerIdsOf(trunk) {
  const dids = trunk.dids.filter((did) => did.called_at).map((did) => did.e164);
  return [...new Set([trunk.caller_id, ...dids].filter(Boolean))];
}

/** Return the trunk through which a call goes that shows this number: the first that has it; else the first. */
export const trunkOfNumber = (trunks, e164) => trunks.find((trunk) => callerIdsOf(trunk).includes(e164)) ?? trunks[0];

/** Write where the trunk's requests go: `sip.carrier.example:5060, UDP`. */
export function addressOf({ host, port, transport }) {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${name}${port ? `:${port}` : ""}, ${transport.toUpperCase()}`;
}
