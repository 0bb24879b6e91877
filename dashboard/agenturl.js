// The agent URL of a number: a WebSocket that we dial when a call is answered. Such URLs hold tokens, so
// of one that is set the page shows no more than its host.

import { patch } from "./api.js";
import { h, say } from "./dom.js";
import { field, form } from "./form.js";
import { button, toast } from "./ui.js";

/** @param {string} path of the number @param {string|null} url @param {(number) => void} changed */
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
    say(
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
