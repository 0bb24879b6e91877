// Forms for telephone numbers, those of the pool and those of a trunk alike: writing one, its label, its agent.

import { COUNTRIES, countryName, toE164 } from "../api/phone.js";
import { patch } from "../api/requests.js";
import { button, toast } from "./button.js";
import { h, setText } from "./dom.js";
import { choice, field, form, labelField } from "./form.js";

/**
 * Make the fields of a number, and its preview.
 * @param {string} label @param {string} home the country that is chosen first
 * @param {(e164: string) => string} announce the preview's text
 * @param {{name?: string, hint?: string}} [more] of the number's field
 * @returns {[object, object, {node: Element, read: () => string|null, draw: () => void}]} country, number,
 *   preview; `read` gives the number in E.164, null if it is none
 */
export function numberFields(label, home, announce, { name = "number", hint } = {}) {
  const countries = COUNTRIES.map((code) => [code, countryName(code)]);
  const country = field({ name: "country", label: "Country", required: true, control: choice(countries, home) });
  const number = field({ name, label, type: "tel", required: true, hint });
  const node = h("p", { class: "hint num", role: "status" });
  const read = () => toE164(number.input.value, country.input.value);
  const draw = () => setText(node, number.input.value.trim() && (read() ? announce(read()) : "Not a number yet."));
  number.input.addEventListener("input", draw);
  country.input.addEventListener("change", draw);
  return [country, number, { node, read, draw }];
}

/** Make the form that changes a label; `onChange` is called with the number as it is then. */
export function labelForm(path, label, onChange) {
  const send = async (values) => {
    onChange(await patch(path, values));
    toast("Label saved.");
  };
  return form({ fields: [labelField(label)], submit: "Save label", send });
}

/**
 * Make the form of a number's agent URL: a WebSocket that we dial when a call is answered. Such URLs hold
 * tokens, so the page shows no more than the host of one that is set.
 * @param {string} path of the number @param {string|null} url @param {(number) => void} changed
 */
export function agentForm(path, url, e164, changed) {
  const state = h("p", { class: "hint", role: "status" });
  const input = field({
    name: "agent_url",
    label: "Agent URL",
    type: "password",
    required: true,
    hint: "ws:// or wss://. Your agent is dialled there as Twilio Media Streams would; it is not shown again.",
    attributes: { autocomplete: "off", maxlength: 2048 },
  });
  const clear = button(
    "Remove agent URL",
    async () => {
      changed(await patch(path, { agent_url: null }));
      toast("Agent URL removed.");
    },
    { label: `Remove agent URL of ${e164}` },
  );
  const send = async (values) => {
    changed(await patch(path, values));
    input.input.value = "";
    toast("Agent URL saved.");
  };
  const show = (now) => {
    setText(
      state,
      now
        ? `Set: an agent at ${host(now)} is dialled when a call is answered.`
        : "Not set: your agent opens the call's audio itself.",
    );
    clear.hidden = !now;
  };
  show(url);
  return {
    node: h("div", {}, state, form({ fields: [input], submit: "Save agent URL", send, actions: [clear] })),
    show,
  };
}

function host(url) {
  try {
    return new URL(url).host;
  } catch {
    return "a host of yours";
  }
}
