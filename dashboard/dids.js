// The trunk's inbound numbers (DIDs): adding one, in whatever form it is written at home; auto-answer,
// label and agent of each; taking one off.

import { create, del, patch } from "./api.js";
import { fill, h, say, sync } from "./dom.js";
import { choice, field, form } from "./form.js";
import { agentForm } from "./agenturl.js";
import { COUNTRIES, countryName, countryOf, pretty, toE164 } from "./phone.js";
import { callOneself } from "./talk.js";
import { timeOf } from "./time.js";
import { button, card, confirm, empty, toast, toggle } from "./ui.js";

/** @returns {{node: Element, draw: (trunk) => void}} */
export function didsCard(trunk, service) {
  const list = h("div");
  const none = h("div");
  const draw = (now) => {
    trunk = now;
    sync(list, now.dids, (did) => did.e164, row);
    fill(
      none,
      !now.dids.length &&
        empty(
          "No inbound numbers yet",
          "Add each number that your carrier sends to this trunk. Calls to others are rejected.",
        ),
    );
  };

  function row(did) {
    const { e164 } = did;
    const path = `trunk/dids/${e164}`;
    const title = h("h3", { class: "num" }, pretty(e164));
    const text = h("p", { class: "fine" });
    const auto = toggle("Auto-answer", did.auto_answer, (on) => patch(path, { auto_answer: on }).then(changed));
    const name = field({ name: "label", label: "Label", value: did.label, attributes: { maxlength: 100 } });
    const agent = agentForm(path, did.agent_url, e164, changed);
    function changed(now) {
      did = now;
      fill(
        text,
        now.label && `${now.label} · `,
        now.called_at
          ? ["called through the trunk since ", timeOf(now.called_at), ": may be a caller ID"]
          : "not called yet: call it once from any phone, and it may be a caller ID",
      );
      auto.show(now.auto_answer);
      agent.show(now.agent_url);
    }
    const remove = button(
      "Remove",
      async () => {
        if (
          !(await confirm(
            `Remove ${pretty(e164)}?`,
            "Calls to it are rejected from then on. Added again, it has to be called again before it may be a caller ID.",
            "Remove the number",
          ))
        )
          return;
        await del(path);
        draw({ ...trunk, dids: trunk.dids.filter((each) => each.e164 !== e164) });
        toast(`${pretty(e164)} is removed.`);
      },
      { class: "small danger", label: `Remove ${pretty(e164)}` },
    );
    const test =
      service.test_calls &&
      trunk.provider === "gateway" &&
      button("Test call", () => callOneself(e164), { class: "small", label: `Test call to ${pretty(e164)}` });
    changed(did);
    const node = h(
      "section",
      { class: "row two", "aria-label": pretty(e164) },
      h("div", {}, title, text),
      h("div", { class: "actions" }, auto.node, test, remove),
      h(
        "details",
        {},
        h("summary", {}, "Label and agent"),
        form({
          fields: [name],
          submit: "Save label",
          send: async (values) => {
            changed(await patch(path, values));
            toast("Label saved.");
          },
        }),
        agent.node,
      ),
    );
    return { node, update: changed };
  }

  const node = card(
    "Inbound numbers",
    none,
    list,
    h("h3", {}, "Add a number"),
    addForm(
      () => trunk,
      (did) => draw({ ...trunk, dids: [...trunk.dids.filter((each) => each.e164 !== did.e164), did] }),
    ),
  );
  draw(trunk);
  return { node, draw };
}

function addForm(trunk, added) {
  const home = trunk().caller_id ? countryOf(trunk().caller_id) : null;
  const number = field({
    name: "e164",
    label: "Number",
    required: true,
    hint: "As you write it at home, or with + and country code.",
    type: "tel",
  });
  const country = field({
    name: "country",
    label: "Country",
    required: true,
    control: choice(
      COUNTRIES.map((code) => [code, countryName(code)]),
      home ?? "US",
    ),
  });
  const label = field({ name: "label", label: "Label", attributes: { maxlength: 100 } });
  const shown = h("p", { class: "hint num", role: "status" });
  const read = () => toE164(number.input.value, country.input.value);
  const preview = () =>
    say(shown, number.input.value.trim() && (read() ? `Will be added as ${read()}` : "Not a number yet."));
  number.input.addEventListener("input", preview);
  country.input.addEventListener("change", preview);
  const send = async (values) => {
    const did = await create("trunk/dids", { e164: read() ?? values.e164, label: values.label });
    added(did);
    number.input.value = label.input.value = "";
    preview();
    toast(`${pretty(did.e164)} is added.`);
  };
  const layout = [h("div", { class: "pair" }, country.node, number.node, label.node), shown];
  return form({ fields: [country, number, label], layout, submit: "Add number", doing: "Adding…", send });
}
