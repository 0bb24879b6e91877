// Hold and transfer of a call, by hand. The card stays as it is while the rest of the call's page is drawn anew, so
// that nobody loses what they type.

import { calls, mergeCalls } from "../api/feed.js";
import { explainTransfer, HOLDS, isUnderWay, lineVerbs, TRANSFER_MODES, TRANSFER_STATES } from "../api/callline.js";
import { otherPartyName } from "../api/labels.js";
import { countryOf, formatNumber } from "../api/phone.js";
import { create, get, post } from "../api/requests.js";
import { explainSipCode } from "../api/sipcodes.js";
import { button, problemToast } from "../widgets/button.js";
import { answerHere } from "../widgets/callpanel.js";
import { fill, h } from "../widgets/dom.js";
import { choice, field, form } from "../widgets/form.js";
import { numberFields } from "../widgets/numberforms.js";
import { badge, card } from "../widgets/ui.js";
import { BAD_NUMBER, nameField } from "./dial.js";

const MODES = [
  ["cold", "Cold: join them when the third party answers"],
  ["warm", "Warm: talk to the third party first"],
];
/** Text of the button of each verb, and its class. */
const BUTTONS = {
  hold: ["Hold", ""],
  resume: ["Resume", "primary"],
  complete: ["Complete transfer", "primary"],
  cancel: ["Cancel transfer", "danger"],
};

/**
 * Make the card of a call's hold and transfer.
 * @returns {{node: Element, draw: (call) => void}}
 */
export function transferCard(callId) {
  const line = new TransferCard(callId);
  return { node: line.node, draw: (call) => line.draw(call) };
}

class TransferCard {
  constructor(callId) {
    this.path = `call/${encodeURIComponent(callId)}`;
    this.words = h("div", { role: "status" });
    this.links = h("div");
    this.actions = h("div", { class: "actions" });
    this.form = h("div");
    this.node = card(
      "Hold and transfer",
      h("div", { class: "stack" }, this.words, this.links, this.actions, this.form),
    );
    this.node.tabIndex = -1;
    this.node.hidden = true;
  }

  draw(call) {
    const verbs = lineVerbs(call, calls.get(call.parent_call_id));
    const { hold, transfer, state } = call;
    const drawn = JSON.stringify([verbs, hold, transfer, state]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.node.hidden = !verbs.length && !hold && !transfer;
    const hadFocus = this.node.contains(document.activeElement);
    fill(this.words, hold && h("p", { class: "notice" }, HOLDS[hold] ?? hold), transfer && transferWords(transfer));
    fill(this.links, transfer?.call_id && this.thirdParty(transfer));
    fill(
      this.actions,
      verbs.filter((verb) => BUTTONS[verb]).map((verb) => this.button(verb, call)),
    );
    this.drawForm(call, verbs.includes("transfer"));
    if (hadFocus && !this.node.contains(document.activeElement))
      (this.actions.querySelector("button") ?? this.node).focus();
  }

  button(verb, call) {
    const [text, name] = BUTTONS[verb];
    const path = ["complete", "cancel"].includes(verb) ? `${this.path}/transfer/${verb}` : `${this.path}/${verb}`;
    const act = async () => mergeCalls([await post(path)]);
    return button(text, act, { class: name, label: `${text}: ${otherPartyName(call)}`, failed: refused });
  }

  /** Make the way to the third party's call, in which the agent of a warm transfer talks. */
  thirdParty({ call_id: id, mode, state }) {
    const talk = async () => answerHere(await get(`call/${encodeURIComponent(id)}`));
    const talks = mode === "warm" && ["dialling", "ringing", "consulting"].includes(state);
    return h(
      "div",
      { class: "actions" },
      talks && button("Talk to the third party", talk, { class: "small" }),
      h("a", { href: `#/call/${id}` }, "The third party's call"),
    );
  }

  /** Show the form while a transfer can begin; what is typed stays while the call is put on hold or taken off. */
  drawForm(call, offered) {
    if (offered === Boolean(this.form.firstChild)) return;
    fill(this.form, offered && h("details", {}, h("summary", {}, "Transfer"), this.makeForm(call)));
  }

  makeForm(call) {
    const home = countryOf(call.line) ?? "US";
    const [country, number, preview] = numberFields("Transfer to", home, (e164) => `Will call ${formatNumber(e164)}`, {
      name: "to",
    });
    const mode = field({ name: "mode", label: "How", required: true, control: choice(MODES) });
    const send = async ({ mode: chosen }) => {
      const to = preview.read();
      if (!to) throw { errors: [{ field: "to", message: BAD_NUMBER }] };
      try {
        mergeCalls([await create(`${this.path}/transfer`, { to, mode: chosen })]);
      } catch (problem) {
        if (problem.body?.call) mergeCalls([problem.body.call]);
        throw nameField(problem, { number: "to" });
      }
    };
    return form({
      fields: [country, number, mode],
      layout: [h("div", { class: "pair" }, country.node, number.node), preview.node, mode.node],
      submit: "Transfer",
      doing: "Calling…",
      send,
    });
  }
}

function refused(problem) {
  if (problem.body?.call) mergeCalls([problem.body.call]);
  problemToast(problem);
}

function transferWords(transfer) {
  const { state, mode, to, sip_code: code } = transfer;
  const [tone, label] = TRANSFER_STATES[state] ?? ["quiet", state];
  const refusal = code >= 300 && !isUnderWay(transfer) && explainSipCode(code)[0];
  return [
    h("p", {}, badge(label, tone), ` ${formatNumber(to)}, ${TRANSFER_MODES[mode] ?? mode}`),
    h(
      "p",
      {},
      explainTransfer(transfer),
      refusal && [" ", h("span", { class: "num" }, `SIP ${code}`), `: ${refusal}.`],
    ),
  ];
}
