// Connecting a trunk: the carrier or PBX is chosen first, and its preset fills in what it needs.

import { get, put } from "../api/requests.js";
import { freeName } from "../api/trunks.js";
import { toast } from "../widgets/button.js";
import { fill, h } from "../widgets/dom.js";
import { field } from "../widgets/form.js";
import { card, facts, heading, load } from "../widgets/ui.js";
import { describe, trunkForm } from "./trunkform.js";

const KINDS = [
  ["carrier", "Carriers"],
  ["pbx", "PBXs"],
];

export function show(chosen, signal) {
  const place = h("div");
  load(place, async () => {
    const asked = ["trunk-presets", "trunks", "service"].map((path) => get(path, {}, signal));
    const [{ presets }, { trunks }, service] = await Promise.all(asked);
    return new Connecting(presets, trunks, service).nodes(chosen);
  });
  return h(
    "div",
    {},
    h("p", {}, h("a", { href: "#/trunks" }, "← SIP trunks (BYOT)")),
    heading("Connect a trunk", "Your carrier's page for the SIP account, or your PBX, has all that is asked for here."),
    place,
  );
}

class Connecting {
  constructor(presets, trunks, service) {
    Object.assign(this, { presets, trunks, service });
    this.about = h("div");
    this.form = h("div");
  }

  /** Make the view, with the preset of that name chosen, if there is one. */
  nodes(chosen) {
    const control = presetChoice(this.presets, chosen);
    const hint = "Choosing one fills in what is known of it. What you typed below is cleared.";
    const preset = field({ name: "preset", label: "Carrier or PBX", hint, required: true, control });
    control.addEventListener("change", () => this.draw(control.value));
    this.draw(control.value);
    return [card("Where from", preset.node, this.about), card("Settings", this.form)];
  }

  draw(chosen) {
    const preset = this.presets.find((each) => each.preset === chosen);
    fill(this.about, preset && aboutPreset(preset));
    fill(
      this.form,
      trunkForm({
        settings: preset?.settings ?? {},
        ask: preset?.ask,
        name: freeName(this.trunks, preset?.preset),
        providers: this.service.trunk_providers,
        submit: "Connect",
        send: (settings, name) => this.connect(settings, name),
      }),
    );
  }

  async connect(settings, name) {
    if (this.trunks.some((trunk) => trunk.name === name)) throw taken(name);
    await put(`trunks/${encodeURIComponent(name)}`, settings);
    toast("Saved. The trunk is being connected.");
    location.hash = `#/trunk/${name}`;
  }
}

/** Make the problem that a name is taken: connecting under it would replace that trunk's settings. */
function taken(name) {
  const message = `You have a trunk called ${name}. Choose another name, or change that trunk's settings.`;
  return Object.assign(new Error(message), { errors: [{ field: "name", message }] });
}

function presetChoice(presets, chosen) {
  const group = ([kind, label]) => {
    const options = presets.filter((preset) => preset.kind === kind);
    return h(
      "optgroup",
      { label },
      options.map(({ preset, title }) => h("option", { value: preset }, title)),
    );
  };
  const node = h("select", {}, h("option", { value: "" }, "Another one"), KINDS.map(group));
  node.value = presets.some(({ preset }) => preset === chosen) ? chosen : "";
  return node;
}

/** Say what to do at the carrier's side, what is filled in, and how far that is known to work. */
function aboutPreset({ title, settings, notes, source, checked }) {
  const known = describe(settings);
  const tested = checked === "tests";
  return [
    notes.length > 0 &&
      h(
        "ul",
        {},
        notes.map((note) => h("li", {}, note)),
      ),
    known.length > 0 &&
      h(
        "p",
        { class: "strong" },
        tested ? `Filled in, and tested with ${title}:` : "Filled in from documentation, not yet tried by us:",
      ),
    facts(...known),
    source.startsWith("https://") &&
      h("p", {}, h("a", { href: source, target: "_blank", rel: "noreferrer" }, `Documentation of ${title}`)),
  ];
}
