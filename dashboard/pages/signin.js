// Signing in with an API key, and opening an account where that is allowed. The key goes to the server
// once, for a cookie that scripts cannot read, and is kept nowhere here.

import { get, post } from "../api/requests.js";
import { problemToast } from "../widgets/button.js";
import { snippet } from "../widgets/copyable.js";
import { fill, h } from "../widgets/dom.js";
import { field, form } from "../widgets/form.js";
import { card } from "../widgets/ui.js";

/**
 * Make the page for signing in.
 * @param {(session: object) => void} onSignIn @param {string} [reason] the reason that a session has ended
 */
export function signInPage(onSignIn, reason) {
  const signUp = h("div");
  const note = h("div", { role: "status" }, reason && h("p", { class: "notice" }, reason));
  const key = field({
    name: "api_key",
    label: "API key",
    type: "password",
    required: true,
    hint: "It begins with chmd_live_.",
    attributes: { autocomplete: "current-password" },
  });
  const signIn = async (values) => {
    try {
      onSignIn(await post("session", values));
    } finally {
      key.input.value = "";
    }
  };
  offerSignUp(signUp, signIn).catch(problemToast);
  return h(
    "main",
    { class: "alone" },
    h(
      "header",
      {},
      h("img", { src: new URL("../mark.svg", import.meta.url).href, alt: "", width: 44, height: 44 }),
      h("h1", { tabindex: -1 }, "Sign in to Chamade SIP"),
      h("p", { class: "lead" }, "A phone line for AI agents: numbers, calls and your own SIP trunk."),
    ),
    note,
    card("You have an account", form({ fields: [key], submit: "Sign in", doing: "Signing in…", send: signIn })),
    signUp,
  );
}

async function offerSignUp(place, signIn) {
  const service = await get("service");
  if (service.sign_up !== "open") {
    fill(place, h("p", { class: "fine center" }, "Accounts are opened by the operator: ask for an API key."));
    return;
  }
  const name = field({
    name: "name",
    label: "Account name",
    required: true,
    hint: "Yours, your company's or your agent's.",
    attributes: { maxlength: 200, autocomplete: "organization" },
  });
  const send = async (values) => {
    const account = await post("account", values);
    const opened = card(
      "Your account is open",
      h("p", {}, "This is its API key. It is shown this once: keep it where you keep passwords."),
      snippet(account.key, "the API key"),
      form({
        fields: [],
        submit: "I have kept it: sign in",
        doing: "Signing in…",
        send: () => signIn({ api_key: account.key }),
      }),
    );
    fill(place, opened);
    opened.querySelector("button").focus();
  };
  fill(place, card("New here?", form({ fields: [name], submit: "Open an account", doing: "Opening…", send })));
}
