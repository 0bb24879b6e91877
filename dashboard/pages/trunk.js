// One SIP trunk: its status, its settings, disconnecting it. Its numbers are in `dids.js`.

import { formatNumber } from "../api/phone.js";
import { del, get, getAgain, put } from "../api/requests.js";
import { addressOf } from "../api/trunks.js";
import { button, toast } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { copyable } from "../widgets/copyable.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h } from "../widgets/dom.js";
import { card, empty, facts, load } from "../widgets/ui.js";
import { didsCard } from "./dids.js";
import { describe, FOLDED, trunkForm } from "./trunkform.js";
import { keepAsking, trunkDetail, trunkStatus } from "./trunks.js";

export function show(name, signal) {
  const path = `trunks/${encodeURIComponent(name || "main")}`;
  const place = h("div");
  load(place, async () => {
    const [trunk, service] = await Promise.all([find(path, get, signal), get("service", {}, signal)]);
    if (!trunk) return notConnected();
    const view = new TrunkView(path, trunk, service, place);
    keepAsking(
      () => find(path, again, signal),
      (now) => view.draw(now),
      () => [view.trunk],
      signal,
    );
    return view.nodes;
  });
  return h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/trunks" }, "← SIP trunks (BYOT)")),
    h("header", { class: "top" }, h("h1", { tabindex: -1 }, `Trunk ${name || "main"}`)),
    place,
  );
}

const again = (path, _, signal) => getAgain(path, signal);

/** Return the trunk; null if none of that name is connected. */
async function find(path, read, signal) {
  try {
    return await read(path, {}, signal);
  } catch (problem) {
    if (problem.code === "no_trunk") return null;
    throw problem;
  }
}

const notConnected = () =>
  empty(
    "No trunk of this name is connected",
    "It may have been disconnected meanwhile.",
    h("a", { class: "button", href: "#/trunks" }, "Your trunks"),
  );

class TrunkView {
  constructor(path, trunk, service, place) {
    Object.assign(this, { path, service, place });
    this.status = h("div");
    this.settings = h("div");
    this.dids = didsCard(trunk, service);
    this.nodes = [this.status, this.dids.node, this.settings];
    this.draw(trunk);
    this.drawSettings();
  }

  draw(trunk) {
    this.trunk = trunk;
    this.drawStatus();
    this.dids.draw(trunk);
  }

  drawStatus() {
    const { trunk } = this;
    const status = JSON.stringify([trunk.status, trunk.sip_code, trunk.detail, trunk.revision, trunk.inbound_uri]);
    if (status === this.drawnStatus) return;
    this.drawnStatus = status;
    fill(
      this.status,
      card(
        "Status",
        h("p", { class: "big", role: "status" }, trunkStatus(trunk)),
        trunkDetail(trunk),
        trunk.inbound_uri && h("p", {}, "Have your trunk send its calls to:"),
        trunk.inbound_uri &&
          h("div", {}, copyable(h("code", {}, trunk.inbound_uri), trunk.inbound_uri, "the inbound URI")),
        facts(
          ["Host", addressOf(trunk)],
          ["Username", trunk.username],
          ["Password", trunk.username && "set (never shown)"],
          ["Caller ID", trunk.caller_id ? formatNumber(trunk.caller_id) : "none: set one to dial out"],
          ["Also dials to", trunk.allowed_countries.join(", ") || "no other countries"],
          ...describe(trunk, FOLDED),
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

  drawSettings() {
    const notice = "Saving replaces all settings at once, so the password has to be given again.";
    const send = async (settings) => {
      this.draw(await put(this.path, settings));
      this.drawSettings();
      toast("Saved. The trunk is being connected.");
      this.place.querySelector("h2")?.scrollIntoView({ block: "nearest" });
    };
    const { trunk_providers: providers } = this.service;
    fill(
      this.settings,
      h(
        "details",
        { class: "card" },
        h("summary", {}, "Change settings"),
        this.trunk.username && h("p", { class: "notice" }, notice),
        trunkForm({ settings: this.trunk, providers, submit: "Save and connect", send }),
      ),
    );
  }

  async disconnect() {
    const { name } = this.trunk;
    const sure = await confirm(
      `Disconnect the trunk ${name}?`,
      "Its settings and its numbers are forgotten. Calls that are up go on; new ones do not come in.",
      "Disconnect",
    );
    if (!sure) return;
    await del(this.path);
    toast(`The trunk ${name} is disconnected.`);
    location.hash = "#/trunks";
  }
}
