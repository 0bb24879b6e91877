// A trunk's inbound numbers (DIDs): adding one, as it is written at home; auto-answer, label and agent of
// each; removing one.

import { COUNTRIES, countryOf, formatNumber } from "../api/phone.js";
import { create, del, patch } from "../api/requests.js";
import { button, toast, toggle } from "../widgets/button.js";
import { placeTestCall } from "../widgets/callpanel.js";
import { timeElement } from "../widgets/clock.js";
import { confirm } from "../widgets/dialog.js";
import { fill, h, syncRows } from "../widgets/dom.js";
import { form, labelField } from "../widgets/form.js";
import { agentForm, labelForm, numberFields } from "../widgets/numberforms.js";
import { card, empty, folded } from "../widgets/ui.js";

/**
 * Make the card of a trunk's numbers.
 * @returns {{node: Element, draw: (trunk) => void}}
 */
export function didsCard(trunk, service) {
  const list = new DidList(trunk, service.test_calls && trunk.provider === "gateway");
  list.draw(trunk);
  return { node: list.node, draw: (now) => list.draw(now) };
}

class DidList {
  constructor(trunk, canTest) {
    this.canTest = canTest;
    this.list = h("div");
    this.none = h("div");
    this.path = `trunks/${trunk.name}/dids`;
    const home = trunk.caller_id ? countryOf(trunk.caller_id) : trunk.country;
    const add = addForm(this.path, COUNTRIES.includes(home) ? home : "US", (did) =>
      this.drawDids([...this.without(did.e164), did]),
    );
    this.node = card("Inbound numbers", this.none, this.list, h("h3", {}, "Add a number"), add);
  }

  draw(trunk) {
    this.trunk = trunk;
    syncRows(
      this.list,
      trunk.dids,
      (did) => did.e164,
      (did) => this.row(did),
    );
    fill(
      this.none,
      !trunk.dids.length &&
        empty(
          "No inbound numbers yet",
          "Add each number that your carrier sends to this trunk. Calls to others are rejected.",
        ),
    );
  }

  drawDids(dids) {
    this.draw({ ...this.trunk, dids });
  }

  without(e164) {
    return this.trunk.dids.filter((did) => did.e164 !== e164);
  }

  row(did) {
    const { e164 } = did;
    const path = `${this.path}/${e164}`;
    const text = h("p", { class: "fine" });
    const auto = toggle("Auto-answer", did.auto_answer, (on) => patch(path, { auto_answer: on }).then(update));
    const agent = agentForm(path, did.agent_url, e164, (now) => update(now));
    const voice = () => import("../widgets/voiceform.js").then((form) => form.voicePart(path, did, update));
    const update = (now) => {
      did = now;
      this.trunk = { ...this.trunk, dids: this.trunk.dids.map((each) => (each.e164 === e164 ? now : each)) };
      fill(text, now.label && `${now.label} · `, calledText(now));
      auto.show(now.auto_answer);
      agent.show(now.agent_url);
    };
    const remove = button("Remove", () => this.remove(e164), {
      class: "small danger",
      label: `Remove ${formatNumber(e164)}`,
    });
    const test =
      this.canTest &&
      button("Test call", () => placeTestCall(e164), {
        class: "small",
        label: `Test call to ${formatNumber(e164)}`,
      });
    update(did);
    const node = h(
      "section",
      { class: "row two", "aria-label": formatNumber(e164) },
      h("div", {}, h("h3", { class: "num" }, formatNumber(e164)), text),
      h("div", { class: "actions" }, auto.node, test, remove),
      h("details", {}, h("summary", {}, "Label and agent"), labelForm(path, did.label, update), agent.node),
      folded("Voice", voice),
    );
    return { node, update };
  }

  async remove(e164) {
    const sure = await confirm(
      `Remove ${formatNumber(e164)}?`,
      "Calls to it are rejected from then on. Added again, it has to be called again before it may be a caller ID.",
      "Remove the number",
    );
    if (!sure) return;
    await del(`${this.path}/${e164}`);
    this.drawDids(this.without(e164));
    toast(`${formatNumber(e164)} is removed.`);
  }
}

function calledText({ called_at: at }) {
  return at
    ? ["called through the trunk since ", timeElement(at), ": may be a caller ID"]
    : "not called yet: call it once from any phone, and it may be a caller ID";
}

function addForm(path, home, onAdded) {
  const [country, number, preview] = numberFields("Number", home, (e164) => `Will be added as ${e164}`, {
    name: "e164",
    hint: "As you write it at home, or with + and country code.",
  });
  const label = labelField();
  const send = async (values) => {
    const did = await create(path, { e164: preview.read() ?? values.e164, label: values.label });
    onAdded(did);
    number.input.value = label.input.value = "";
    preview.draw();
    toast(`${formatNumber(did.e164)} is added.`);
  };
  const layout = [h("div", { class: "pair" }, country.node, number.node, label.node), preview.node];
  return form({ fields: [country, number, label], layout, submit: "Add number", doing: "Adding…", send });
}
