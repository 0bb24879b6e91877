// API keys: the list, making one (shown once), revoking one; and the account with its limits.

import { create, del, get, request } from "../api/requests.js";
import { formatDuration } from "../api/time.js";
import { button, toast } from "../widgets/button.js";
import { timeElement } from "../widgets/clock.js";
import { confirm, showSecret } from "../widgets/dialog.js";
import { h } from "../widgets/dom.js";
import { form, labelField } from "../widgets/form.js";
import { badge, card, facts, heading, load } from "../widgets/ui.js";

export function show(_, signal) {
  const place = h("div");
  const limits = h("div");
  const draw = async () => {
    const [{ keys }, session] = await Promise.all([get("keys", {}, signal), get("session", {}, signal)]);
    return h(
      "ul",
      { class: "rows", "aria-label": "Keys" },
      keys.map((key) => row(key, key.key_id === session.key.key_id, refresh)),
    );
  };
  const refresh = () => load(place, draw, 2);
  refresh();
  load(limits, async () => accountFacts(await get("account", {}, signal)));
  const label = labelField("", "Who or what uses it.");
  const send = async (values) => {
    const made = await create("keys", values);
    label.input.value = "";
    refresh();
    await showSecret(
      "Your new key",
      "It opens everything in this account. It is shown this once: keep it where you keep passwords.",
      made.key,
      "the API key",
    );
  };
  return h(
    "div",
    {},
    heading("Keys", "What your agents and programs sign in with."),
    card("API keys", place),
    card("Create a key", form({ fields: [label], submit: "Create key", doing: "Creating…", send })),
    card("Account", limits),
  );
}

function row(key, own, refresh) {
  const name = key.label || `Key …${key.last4}`;
  const revoke = async () => {
    const text = `Whoever uses ${name} is refused at once.${own ? " You are signed in with this key: you are signed out, too." : ""}`;
    if (!(await confirm(`Revoke ${name}?`, text, "Revoke the key"))) return;
    await del(`keys/${key.key_id}`);
    toast(`${name} is revoked.`);
    if (own)
      await request("GET", "keys"); // which finds that the session is over
    else refresh();
  };
  return h(
    "li",
    { class: "row two" },
    h(
      "div",
      {},
      h("p", {}, h("span", { class: "strong" }, name), " ", own && badge("This session's key", "good")),
      h(
        "p",
        { class: "fine num" },
        `ends in ${key.last4} · created `,
        timeElement(key.created_at),
        " · last used ",
        timeElement(key.last_used_at, "never"),
      ),
    ),
    h("div", { class: "actions" }, button("Revoke", revoke, { class: "small danger", label: `Revoke ${name}` })),
  );
}

function accountFacts({ account_id: id, name, created_at: at, hosted_voice: hosted, limits }) {
  return facts(
    ["Name", name],
    ["Account id", h("code", {}, id)],
    ["Opened", timeElement(at)],
    ["Numbers", `up to ${limits.max_numbers}`],
    ["Keys", `up to ${limits.max_keys}`],
    ["Calls", `up to ${limits.max_concurrent_calls} at a time, both directions`],
    ["Dialled calls", `${limits.max_concurrent_dials} at a time, ${limits.max_dials_per_minute} a minute`],
    ["Longest call", formatDuration(limits.max_call_s * 1000)],
    ["Hosted voices", hosted ? "in the closed beta" : "closed beta: the operator lets accounts in"],
  );
}
