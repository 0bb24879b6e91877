// SIP Trunk (BYOT): connecting one's own carrier or PBX, its status, and its settings. Its numbers are in
// `dids.js`. While the view is open it asks for the trunk again from time to time.

import { onEvents } from "../api/feed.js";
import { TRUNK_STATES } from "../api/labels.js";
import { formatNumber } from "../api/phone.js";
import { del, get, getAgain, put } from "../api/requests.js";
import { explainSipCode } from "../api/sipcodes.js";
import { button, toast } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { copyable } from "../widgets/copyable.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h } from "../widgets/dom.js";
import { choice, field, form } from "../widgets/form.js";
import { badge, card, facts, heading, load } from "../widgets/ui.js";
import { didsCard } from "./dids.js";

const REGISTERING_POLL_MS = 3000;
const POLL_MS = 20000;
const TRANSPORTS = [
  ["udp", "UDP"],
  ["tcp", "TCP"],
  ["tls", "TLS"],
];
const PROVIDERS = [
  ["gateway", "Our gateway registers with your trunk"],
  ["twilio", "Your trunk sends its calls to us (Twilio)"],
];

export function show(_, signal) {
  const place = h("div");
  const view = new TrunkView(place, signal);
  load(place, () => view.begin());
  return h(
    "div",
    {},
    heading(
      "SIP Trunk (BYOT)",
      "Bring your own trunk: numbers of your carrier or PBX ring at your agent, and calls go out through it.",
    ),
    place,
  );
}

class TrunkView {
  constructor(place, signal) {
    this.place = place;
    this.signal = signal;
    this.status = h("div");
    this.settings = h("div");
    onEvents((events) => events.some(({ type }) => /^(trunk|number)\./.test(type)) && this.refresh(), signal);
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async begin() {
    const [trunk, service] = await Promise.all([this.fetch(), get("service", {}, this.signal)]);
    this.service = service;
    this.watch();
    return this.content(trunk);
  }

  /** Return the trunk; null if none is connected. */
  async fetch() {
    try {
      return await getAgain("trunk", this.signal);
    } catch (problem) {
      if (problem.code === "no_trunk") return null;
      throw problem;
    }
  }

  content(trunk) {
    this.trunk = trunk;
    this.drawnStatus = null;
    if (!trunk)
      return [
        card(
          "Connect your trunk",
          h("p", { class: "hint" }, "Your carrier's page for the SIP account has all of this."),
          this.form(null),
        ),
      ];
    this.drawStatus();
    fill(
      this.settings,
      h(
        "details",
        { class: "card" },
        h("summary", {}, "Change settings"),
        h("p", { class: "notice" }, "Saving replaces all settings at once, so the password has to be given again."),
        this.form(trunk),
      ),
    );
    this.dids = didsCard(trunk, this.service);
    return [this.status, this.dids.node, this.settings];
  }

  watch() {
    clearTimeout(this.timer);
    const wait = this.trunk?.status === "registering" ? REGISTERING_POLL_MS : POLL_MS;
    this.timer = setTimeout(() => (document.hidden || !this.trunk ? this.watch() : this.refresh()), wait);
  }

  async refresh() {
    try {
      const trunk = await this.fetch();
      if (!trunk !== !this.trunk || (trunk && trunk.trunk_id !== this.trunk.trunk_id))
        fill(this.place, this.content(trunk));
      else if (trunk) {
        this.trunk = trunk;
        this.drawStatus();
        this.dids.draw(trunk);
      }
    } catch {
      // it is asked for again soon, and the feed's badge tells that the server is away
    }
    if (!this.signal.aborted) this.watch();
  }

  drawStatus() {
    const { trunk } = this;
    const status = JSON.stringify([trunk.status, trunk.sip_code, trunk.detail, trunk.revision, trunk.inbound_uri]);
    if (status === this.drawnStatus) return;
    this.drawnStatus = status;
    const [tone, text] = TRUNK_STATES[trunk.status] ?? ["quiet", trunk.status];
    const transport = trunk.transport.toUpperCase();
    fill(
      this.status,
      card(
        "Status",
        h(
          "p",
          { class: "big", role: "status" },
          badge(text, tone),
          trunk.status === "failed" &&
            trunk.sip_code &&
            h("span", { class: "num" }, ` SIP ${trunk.sip_code} ${explainSipCode(trunk.sip_code)[0]}`),
        ),
        trunk.detail && h("p", { class: trunk.status === "failed" ? "problem" : "" }, trunk.detail),
        trunk.inbound_uri && h("p", {}, "Have your trunk send its calls to:"),
        trunk.inbound_uri &&
          h("div", {}, copyable(h("code", {}, trunk.inbound_uri), trunk.inbound_uri, "the inbound URI")),
        facts(
          ["Host", `${trunk.host}:${trunk.port}, ${transport}`],
          ["Username", trunk.username],
          ["Realm", trunk.realm],
          ["Password", "set (never shown)"],
          ["Caller ID", trunk.caller_id ? formatNumber(trunk.caller_id) : "none: set one to dial out"],
          ["Also dials to", trunk.allowed_countries.join(", ") || "no other countries"],
          ["Since", timeElement(trunk.status_at)],
        ),
        h(
          "div",
          { class: "actions" },
          button("Disconnect", () => this.disconnect(), { class: "danger" }),
        ),
      ),
    );
  }

  async disconnect() {
    const sure = await confirm(
      "Disconnect the trunk?",
      "Its settings and its numbers are forgotten. Calls that are up go on; new ones do not come in.",
      "Disconnect",
    );
    if (!sure) return;
    await del("trunk");
    toast("The trunk is disconnected.");
    fill(this.place, this.content(null));
  }

  form(trunk) {
    const submit = trunk ? "Save and connect" : "Connect";
    const send = async (values) => {
      const saved = await put("trunk", settingsOf(values));
      toast("Saved. The trunk is being connected.");
      fill(this.place, this.content(saved));
      this.place.querySelector("h2")?.scrollIntoView({ block: "nearest" });
      this.watch();
    };
    return form({ ...settingsFields(trunk, this.service.trunk_providers), submit, doing: "Connecting…", send });
  }
}

/** Read the settings from the form's values; what is left empty is left out. */
function settingsOf(values) {
  const settings = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  if (/^\d+$/.test(settings.port)) settings.port = Number(settings.port);
  settings.allowed_countries = values.allowed_countries.split(/[\s,;]+/).filter(Boolean);
  return settings;
}

/** Make the fields of a trunk's settings, and their layout; without a trunk they are empty. */
function settingsFields(trunk, providers) {
  const text = (name, label, hint, more = {}) => field({ name, label, hint, value: trunk?.[name] ?? "", ...more });
  const select = (name, label, options) =>
    field({ name, label, required: true, control: choice(options, trunk?.[name]) });
  const provider =
    providers.length > 1 &&
    select(
      "provider",
      "How calls come in",
      PROVIDERS.filter(([id]) => providers.includes(id)),
    );
  const password = field({
    name: "password",
    label: "Password",
    type: "password",
    required: true,
    hint: "Kept sealed; never shown again.",
    attributes: { autocomplete: "new-password" },
  });
  const countries = field({
    name: "allowed_countries",
    label: "Allowed countries",
    value: trunk?.allowed_countries.join(", ") ?? "",
    hint: "Where it may dial besides the caller ID's country: FR, DE.",
  });
  const rows = [
    [
      text("host", "Host", "The registrar or proxy alone, as in sip.carrier.example.", { required: true }),
      select("transport", "Transport", TRANSPORTS),
      text("port", "Port", "5060, for TLS 5061.", { attributes: { inputmode: "numeric" } }),
    ],
    [text("username", "Username", "The part before the @ of your SIP account.", { required: true }), password],
    [
      text("realm", "Realm", "Only if your account is user@something-else."),
      text("caller_id", "Caller ID", "The number to call as, in E.164: +33187654321."),
    ],
    [countries],
  ];
  const nodes = (row) => row.map(({ node }) => node);
  return {
    fields: [provider, ...rows.flat()].filter(Boolean),
    layout: [provider && provider.node, rows.map((row) => h("div", { class: "pair" }, nodes(row)))],
  };
}
