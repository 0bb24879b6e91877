// SIP Trunk (BYOT): connecting one's own carrier or PBX, how that goes, and its settings. The numbers on
// it are in `dids.js`. While the view is open it asks how the trunk is doing, now and then.

import { del, get, put } from "./api.js";
import { fill, h } from "./dom.js";
import { onEvents } from "./feed.js";
import { choice, field, form } from "./form.js";
import { didsCard } from "./dids.js";
import { pretty } from "./phone.js";
import { timeOf } from "./time.js";
import { badge, button, card, confirm, copyable, facts, heading, load, toast } from "./ui.js";
import { TRUNK_STATES, sipCode } from "./words.js";

const SOON_MS = 3000; // while it registers
const LATER_MS = 20000;

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
    onEvents((events) => events.some(({ type }) => /^(trunk|number)\./.test(type)) && this.look(), signal);
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async begin() {
    const [trunk, service] = await Promise.all([this.fetch(), get("service", {}, this.signal)]);
    this.service = service;
    this.watch();
    return this.whole(trunk);
  }

  /** The trunk; null if none is connected. */
  async fetch() {
    try {
      return await get("trunk", {}, this.signal);
    } catch (problem) {
      if (problem.code === "no_trunk") return null;
      throw problem;
    }
  }

  whole(trunk) {
    this.trunk = trunk;
    this.shown = null;
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
    this.dids = didsCard(trunk, this.service, this.signal);
    return [this.status, this.dids.node, this.settings];
  }

  watch() {
    clearTimeout(this.timer);
    const wait = this.trunk?.status === "registering" ? SOON_MS : LATER_MS;
    this.timer = setTimeout(() => (document.hidden || !this.trunk ? this.watch() : this.look()), wait);
  }

  async look() {
    try {
      const trunk = await this.fetch();
      if (!trunk !== !this.trunk || (trunk && trunk.trunk_id !== this.trunk.trunk_id))
        fill(this.place, this.whole(trunk));
      else if (trunk) {
        this.trunk = trunk;
        this.drawStatus();
        this.dids.draw(trunk);
      }
    } catch {
      // it is asked again soon, and the feed's badge says that the server is away
    }
    if (!this.signal.aborted) this.watch();
  }

  drawStatus() {
    const { trunk } = this;
    const shown = JSON.stringify([trunk.status, trunk.sip_code, trunk.detail, trunk.revision, trunk.inbound_uri]);
    if (shown === this.shown) return;
    this.shown = shown;
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
            h("span", { class: "num" }, ` SIP ${trunk.sip_code} ${sipCode(trunk.sip_code)[0]}`),
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
          ["Caller ID", trunk.caller_id ? pretty(trunk.caller_id) : "none: set one to dial out"],
          ["Also dials to", trunk.allowed_countries.join(", ") || "no other countries"],
          ["Since", timeOf(trunk.status_at)],
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
    fill(this.place, this.whole(null));
  }

  form(trunk) {
    const text = (name, label, hint, extra = {}) => field({ name, label, hint, value: trunk?.[name] ?? "", ...extra });
    const select = (name, label, options, extra = {}) =>
      field({ name, label, required: true, control: choice(options, trunk?.[name]), ...extra });
    const transport = select("transport", "Transport", [
      ["udp", "UDP"],
      ["tcp", "TCP"],
      ["tls", "TLS"],
    ]);
    const port = text("port", "Port", "5060, for TLS 5061.", { attributes: { inputmode: "numeric" } });
    const provider =
      this.service.trunk_providers.length > 1 &&
      select(
        "provider",
        "How calls come in",
        [
          ["gateway", "Our gateway registers with your trunk"],
          ["twilio", "Your trunk sends its calls to us (Twilio)"],
        ].filter(([id]) => this.service.trunk_providers.includes(id)),
      );
    const pairs = [
      [
        text("host", "Host", "The registrar or proxy alone, as in sip.carrier.example.", { required: true }),
        transport,
        port,
      ],
      [
        text("username", "Username", "The part before the @ of your SIP account.", { required: true }),
        field({
          name: "password",
          label: "Password",
          type: "password",
          required: true,
          hint: "Kept sealed; never shown again.",
          attributes: { autocomplete: "new-password" },
        }),
      ],
      [
        text("realm", "Realm", "Only if your account is user@something-else."),
        text("caller_id", "Caller ID", "The number to call as, in E.164: +33187654321."),
      ],
      [
        field({
          name: "allowed_countries",
          label: "Allowed countries",
          value: trunk?.allowed_countries.join(", ") ?? "",
          hint: "Where it may dial besides the caller ID's country: FR, DE.",
        }),
      ],
    ];
    const fields = [provider, ...pairs.flat()].filter(Boolean);
    const layout = [
      provider && provider.node,
      pairs.map((pair) =>
        h(
          "div",
          { class: "pair" },
          pair.map(({ node }) => node),
        ),
      ),
    ];
    const send = async (values) => {
      const settings = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      if (settings.port) settings.port = /^\d+$/.test(settings.port) ? Number(settings.port) : settings.port;
      settings.allowed_countries = values.allowed_countries.split(/[\s,;]+/).filter(Boolean);
      const saved = await put("trunk", settings);
      toast("Saved. The trunk is being connected.");
      fill(this.place, this.whole(saved));
      this.place.querySelector("h2")?.scrollIntoView({ block: "nearest" });
      this.watch();
    };
    return form({ fields, layout, submit: trunk ? "Save and connect" : "Connect", doing: "Connecting…", send });
  }
}
